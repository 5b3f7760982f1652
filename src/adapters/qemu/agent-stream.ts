import { connect, type Socket } from 'node:net';
import { AppError, describe } from '../../core/app-error.ts';

/** The VMM listens before its guest runs; a busy host takes its time to accept. */
const CONNECT_TIMEOUT_MS = 10_000;

/**
 * Connects to the socket behind the guest's virtio-serial port. QEMU keeps what is written until the guest opens the port.
 *
 * @throws AppError AGENT_UNREACHABLE; the reason of `signal`.
 */
export async function openAgentStream(socketPath: string, signal: AbortSignal): Promise<Socket> {
  signal.throwIfAborted();
  const socket = connect(socketPath);
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
    throw new AppError('AGENT_UNREACHABLE', `The channel to the guest's agent cannot be opened: ${describe(error)}`, {
      details: { socketPath },
      cause: error,
    });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
    socket.off('error', reject);
  }
}
