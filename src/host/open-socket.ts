import { connect, type NetConnectOpts, type Socket } from 'node:net';

/**
 * Connects a socket, over TCP or to a path.
 *
 * @throws the system's error, an Error where it takes longer than `timeoutMs`, the signal's reason where it is aborted;
 * no socket is left then.
 */
export async function openSocket(
  target: NetConnectOpts,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<Socket> {
  signal.throwIfAborted();
  const socket = connect(target);
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const onAbort = (): void => reject(signal.reason as Error);
  const timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  signal.addEventListener('abort', onAbort, { once: true });
  socket.once('connect', () => resolve(socket));
  socket.once('error', reject);
  try {
    return await promise;
  } catch (error) {
    socket.destroy();
    signal.throwIfAborted();
    throw error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
    socket.off('error', reject);
  }
}
