/**
 * VMMs that run and that nothing was written down about: the daemon was killed in the instant between their start and
 * their record. Their guests have never run, since that waits for the record. Likewise jails without a VMM.
 */
import { readdir } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { commandLine } from '../../host/command-line.ts';
import { killAndWait } from '../../host/process-end.ts';
import { identifyProcess } from '../../host/process-identity.ts';
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
  const ended = await endProcesses(controlSocketPaths);
  for (const path of controlSocketPaths) {
    for (const jailDir of await jailDirsOf(jailsDir, basename(dirname(path)))) await removeJail(jailDir);
  }
  return ended;
}

async function endProcesses(controlSocketPaths: readonly string[]): Promise<readonly string[]> {
  const ended: string[] = [];
  for (const entry of await readdir('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) continue;
    // Who it is comes first: a pid that is taken over by another program meanwhile is not the one that is ended.
    const identity = await identifyProcess(pid);
    if (!identity) continue;
    const argv = await commandLine(pid);
    const path = controlSocketPaths.find((candidate) => idInCommandLine(argv, candidate) !== undefined);
    if (path === undefined) continue;
    await killAndWait(identity, KILL_GRACE_MS);
    ended.push(path);
  }
  return ended;
}
