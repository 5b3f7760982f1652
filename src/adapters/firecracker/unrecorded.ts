/**
 * VMMs that run and that nothing was written down about: the daemon was killed in the instant between their start and
 * their record. Their guests have never run, since that waits for the record. Likewise jails without a VMM.
 */
import { basename, dirname } from 'node:path';
import { endByCommandLine } from '../../host/process-end.ts';
import { idInCommandLine } from './evidence.ts';
import { jailDirsOf, removeJail } from './jail.ts';

const KILL_GRACE_MS = 10_000;

/**
 * Ends every VMM with one of these control sockets, and removes the jails of their machines.
 *
 * @param controlSocketPaths each in a folder that is named after its machine's id.
 * @param jailsDir where the jails of this instance are.
 * @returns the control sockets of those that ran.
 */
export async function endUnrecorded(
  controlSocketPaths: readonly string[],
  jailsDir: string,
): Promise<readonly string[]> {
  if (controlSocketPaths.length === 0) return [];
  const ended = await endByCommandLine(
    (argv) => controlSocketPaths.find((path) => idInCommandLine(argv, path) !== undefined),
    KILL_GRACE_MS,
  );
  for (const path of controlSocketPaths) {
    for (const jailDir of await jailDirsOf(jailsDir, basename(dirname(path)))) await removeJail(jailDir);
  }
  return ended;
}
