import type { Socket } from 'node:net';
import { AppError, describe } from '../../core/app-error.ts';
import { openSocket } from '../../host/open-socket.ts';

/** The VMM listens before its guest runs; a busy host takes its time to accept. */
const CONNECT_TIMEOUT_MS = 10_000;

/**
 * Connects to the socket behind the guest's virtio-serial port. QEMU keeps what is written until the guest opens the port.
 *
 * @throws AppError AGENT_UNREACHABLE; the reason of `signal`.
 */
export async function openAgentStream(socketPath: string, signal: AbortSignal): Promise<Socket> {
  try {
    return await openSocket({ path: socketPath }, { timeoutMs: CONNECT_TIMEOUT_MS, signal });
  } catch (error) {
    signal.throwIfAborted();
    throw new AppError('AGENT_UNREACHABLE', `The channel to the guest's agent cannot be opened: ${describe(error)}`, {
      details: { socketPath },
      cause: error,
    });
  }
}
