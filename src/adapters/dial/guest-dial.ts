import { connect, type Socket } from 'node:net';
import { AppError, describe } from '../../core/app-error.ts';

/** A guest that is up answers at once; one that drops packets must not keep its caller for minutes. */
const CONNECT_TIMEOUT_MS = 10_000;

/**
 * A TCP connection to a guest, each side of which may end before the other.
 *
 * @throws AppError GUEST_UNREACHABLE; the reason of `signal`.
 */
export async function dialGuest(address: string, port: number, signal: AbortSignal): Promise<Socket> {
  signal.throwIfAborted();
  const socket = connect({ host: address, port, allowHalfOpen: true, noDelay: true });
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const onAbort = (): void => reject(signal.reason as Error);
  const timer = setTimeout(() => reject(new Error(`no answer within ${CONNECT_TIMEOUT_MS} ms`)), CONNECT_TIMEOUT_MS);
  signal.addEventListener('abort', onAbort, { once: true });
  socket.once('connect', () => resolve(socket));
  socket.once('error', reject);
  try {
    return await promise;
  } catch (error) {
    socket.destroy();
    signal.throwIfAborted();
    throw new AppError('GUEST_UNREACHABLE', `The guest does not answer on port ${port}: ${describe(error)}`, {
      details: { address, port },
      cause: error,
    });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
    socket.off('error', reject);
  }
}
