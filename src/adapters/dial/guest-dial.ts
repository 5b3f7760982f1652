import type { Socket } from 'node:net';
import { AppError, describe } from '../../core/app-error.ts';
import { openSocket } from '../../host/open-socket.ts';

/** A guest that is up answers at once; one that drops packets must not keep its caller for minutes. */
const CONNECT_TIMEOUT_MS = 10_000;

/**
 * A TCP connection to a guest, each side of which may end before the other.
 *
 * @throws AppError GUEST_UNREACHABLE; the reason of `signal`.
 */
export async function dialGuest(address: string, port: number, signal: AbortSignal): Promise<Socket> {
  try {
    const target = { host: address, port, allowHalfOpen: true, noDelay: true };
    return await openSocket(target, { timeoutMs: CONNECT_TIMEOUT_MS, signal });
  } catch (error) {
    signal.throwIfAborted();
    throw new AppError('GUEST_UNREACHABLE', `The guest does not answer on port ${port}: ${describe(error)}`, {
      details: { address, port },
      cause: error,
    });
  }
}
