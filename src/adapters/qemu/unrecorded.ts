/**
 * VMMs that run and that nothing was written down about: the daemon was killed in the instant between their start and
 * their record. Their guests have never run, since that waits for the record.
 */
import { readdir } from 'node:fs/promises';
import { commandLine } from '../../host/command-line.ts';
import { killAndWait } from '../../host/process-end.ts';
import { identifyProcess } from '../../host/process-identity.ts';
import { nameInCommandLine } from './adopt.ts';

const KILL_GRACE_MS = 10_000;

/** Ends every VMM with one of these control sockets. @returns the control sockets of those that ran. */
export async function endUnrecorded(controlSocketPaths: readonly string[]): Promise<readonly string[]> {
  const ended: string[] = [];
  if (controlSocketPaths.length === 0) return ended;
  for (const entry of await readdir('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) continue;
    // Who it is comes first: a pid that is taken over by another program meanwhile is not the one that is ended.
    const identity = await identifyProcess(pid);
    if (!identity) continue;
    const argv = await commandLine(pid);
    const path = controlSocketPaths.find((candidate) => nameInCommandLine(argv, candidate) !== undefined);
    if (path === undefined) continue;
    await killAndWait(identity, KILL_GRACE_MS);
    ended.push(path);
  }
  return ended;
}
