import { readdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { commandLine } from './command-line.ts';
import { identifyProcess, isAlive, type ProcessIdentity, signalProcess } from './process-identity.ts';

const FIRST_LOOK_MS = 5;
const LAST_LOOK_MS = 100;

/**
 * Waits for a process to end. It is asked after only while it is known to be ending: looks come ever further apart.
 *
 * @returns false where `timeoutMs` passes first.
 */
export async function waitUntilGone(identity: ProcessIdentity, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  for (let pauseMs = FIRST_LOOK_MS; await isAlive(identity); pauseMs = Math.min(pauseMs * 2, LAST_LOOK_MS)) {
    if (performance.now() >= deadline) return false;
    await sleep(pauseMs);
  }
  return true;
}

/** SIGKILL, then waits. @returns false where even that does not end it within `timeoutMs`. */
export async function killAndWait(identity: ProcessIdentity, timeoutMs: number): Promise<boolean> {
  await signalProcess(identity, 'SIGKILL');
  return waitUntilGone(identity, timeoutMs);
}

/**
 * Kills every process of this host whose command line is one that is looked for.
 *
 * @param find what it is, from its command line; undefined: none of ours.
 * @param graceMs for each to be gone.
 * @returns what was found of each.
 */
export async function endByCommandLine<Found>(
  find: (argv: readonly string[]) => Found | undefined,
  graceMs: number,
): Promise<readonly Found[]> {
  const ended: Found[] = [];
  for (const entry of await readdir('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) continue;
    // Who it is comes first: a pid that is taken over by another program meanwhile is not the one that is ended.
    const identity = await identifyProcess(pid);
    const found = identity && find(await commandLine(pid));
    if (!identity || found === undefined) continue;
    await killAndWait(identity, graceMs);
    ended.push(found);
  }
  return ended;
}
