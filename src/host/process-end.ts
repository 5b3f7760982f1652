import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive, type ProcessIdentity, signalProcess } from './process-identity.ts';

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
