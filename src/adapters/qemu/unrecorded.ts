/**
 * VMMs that run and that nothing was written down about: the daemon was killed in the instant between their start and
 * their record. Their guests have never run, since that waits for the record.
 */
import { endByCommandLine } from '../../host/process-end.ts';
import { nameInCommandLine } from './adopt.ts';

const KILL_GRACE_MS = 10_000;

/** Ends every VMM with one of these control sockets. @returns the control sockets of those that ran. */
export async function endUnrecorded(controlSocketPaths: readonly string[]): Promise<readonly string[]> {
  if (controlSocketPaths.length === 0) return [];
  return endByCommandLine(
    (argv) => controlSocketPaths.find((path) => nameInCommandLine(argv, path) !== undefined),
    KILL_GRACE_MS,
  );
}
