import type { MachineIdentity } from '../../core/vms/engine.ts';
import { openSocket } from '../../host/open-socket.ts';
import { waitUntilGone } from '../../host/process-end.ts';

const CONNECT_TIMEOUT_MS = 10_000;
/** From the end of the connection to the end of the process. */
const CLOSE_GRACE_MS = 10_000;

/**
 * Waits for the end of a VMM that is not our child. A connection on which nothing is said is all that is needed:
 * Firecracker never closes one that idles, so that its end is the process's; nothing polls.
 *
 * @param giveUp ends a VMM that can no longer be reached: it is ended, not lost track of. Says whether it is gone; where it
 * is not, that is tried again.
 * @returns false where `signal` is aborted first.
 */
export async function watchEnd(
  identity: MachineIdentity,
  giveUp: () => Promise<boolean>,
  signal: AbortSignal,
): Promise<boolean> {
  while (!signal.aborted) {
    const isReachable = await holdConnection(identity.controlSocketPath, signal);
    if (signal.aborted) return false;
    if (await waitUntilGone(identity, CLOSE_GRACE_MS)) return true;
    if (!isReachable && (await giveUp())) return true;
  }
  return false;
}

/** @returns false where there was none to be had; true once one that there was has ended. */
async function holdConnection(path: string, signal: AbortSignal): Promise<boolean> {
  try {
    const socket = await openSocket({ path }, { timeoutMs: CONNECT_TIMEOUT_MS, signal });
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    const leave = (): void => void socket.destroy();
    signal.addEventListener('abort', leave, { once: true });
    socket.once('close', () => resolve());
    // A reset says no more than the close that follows. What is said is not for us: it must not stand in the way.
    socket.on('error', leave).resume().unref();
    if (signal.aborted || socket.closed) leave();
    await closed.finally(() => signal.removeEventListener('abort', leave));
    return true;
  } catch (error) {
    if (signal.aborted || error instanceof Error) return false;
    throw error;
  }
}
