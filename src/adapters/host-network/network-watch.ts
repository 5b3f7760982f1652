/** Two programs that tell, without being asked, when somebody changes rules or interfaces. */
import { AppError } from '../../core/app-error.ts';
import type { NetworkEvents } from '../../core/networks/ports.ts';
import { ProcessError, run } from '../../host/process.ts';
import { isLinkDeleted, readNftLine } from './monitor-lines.ts';
import { toolFailure } from './tool.ts';

/** Each line is read as it comes; what is kept of them is for the words of a failure. */
const KEPT_BYTES = 4096;

/**
 * Tells what happens until `signal` is aborted. Both programs end with us, however we end.
 *
 * @throws AppError NETWORK_UNAVAILABLE, HOST_TOOL_MISSING where one of them ends before (netlink(7) drops messages for
 * who reads too slowly, and nft gives up then).
 */
export async function watchNetwork(tableName: string, events: NetworkEvents, signal: AbortSignal): Promise<void> {
  const ended = new AbortController();
  const limit = AbortSignal.any([signal, ended.signal]);
  const rules = watchRules(tableName, events, limit);
  const links = follow(['ip', 'monitor', 'link'], limit, (line) => {
    if (isLinkDeleted(line)) events.changed();
  });
  try {
    await Promise.race([rules, links]);
  } finally {
    ended.abort();
    await Promise.allSettled([rules, links]);
  }
}

function watchRules(tableName: string, events: NetworkEvents, signal: AbortSignal): Promise<void> {
  let touched = false;
  return follow(['nft', 'monitor'], signal, (line) => {
    const said = readNftLine(line, tableName);
    if (said.kind === 'refusal') events.refused(said.refusal);
    if (said.kind === 'rules') touched = true;
    if (said.kind !== 'end' || !touched) return;
    touched = false;
    events.changed();
  });
}

async function follow(
  argv: readonly [string, ...string[]],
  signal: AbortSignal,
  onLine: (line: string) => void,
): Promise<void> {
  try {
    await run(argv, { signal, endsWithUs: true, env: { LC_ALL: 'C' }, maxOutputBytes: KEPT_BYTES, onLine });
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof ProcessError) throw toolFailure(error);
    throw error;
  }
  throw new AppError('NETWORK_UNAVAILABLE', `${argv.join(' ')} has ended by itself.`);
}
