/** The way to a port in the guest: Firecracker's unix socket and its handshake (firecracker's docs/vsock.md). */
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError, describe } from '../../core/app-error.ts';
import { hasCode } from '../../host/error-code.ts';
import { openSocket } from '../../host/open-socket.ts';
import { readHandshake, VsockError } from './vsock-handshake.ts';

const CONNECT_TIMEOUT_MS = 1_000;
/**
 * A guest is given 2 s to take a connection. One that has no driver yet does not answer at all, for ever, and is likely to
 * have it soon: at first the answer is waited for no longer than these.
 */
const FIRST_ANSWER_MS = 300;
const LAST_ANSWER_MS = 2_500;
/** Between two tries: a guest that boots is asked often, one that has no agent now and then. */
const FIRST_PAUSE_MS = 100;
const LAST_PAUSE_MS = 2_000;
/** Of both, from one try to the next. */
const GROWTH = 1.5;

/**
 * Connects to a port in the guest, again and again until somebody accepts there.
 *
 * @returns a stream that begins with the guest's first byte.
 * @throws AppError AGENT_UNREACHABLE where the VMM is gone, or breaks the handshake's rules; the reason of `signal`.
 */
export async function openGuestPort(udsPath: string, port: number, signal: AbortSignal): Promise<Socket> {
  for (let pauseMs = FIRST_PAUSE_MS, answerMs = FIRST_ANSWER_MS; ;) {
    const socket = await tryOnce(udsPath, { port, answerMs }, signal);
    if (socket) return socket;
    pauseMs = Math.min(pauseMs * GROWTH, LAST_PAUSE_MS);
    answerMs = Math.min(answerMs * GROWTH, LAST_ANSWER_MS);
    await sleep(pauseMs, undefined, { signal }).catch(() => {
      throw signal.reason;
    });
  }
}

/** @returns undefined where nobody in the guest has accepted. */
async function tryOnce(
  udsPath: string,
  { port, answerMs }: { readonly port: number; readonly answerMs: number },
  signal: AbortSignal,
): Promise<Socket | undefined> {
  let socket: Socket | undefined;
  try {
    socket = await openSocket({ path: udsPath }, { timeoutMs: CONNECT_TIMEOUT_MS, signal });
    // Errors after a try was given up are nobody's affair; whoever takes the stream listens for its own.
    socket.on('error', () => undefined);
    // In one write: Firecracker drops a line that comes in two.
    socket.write(`CONNECT ${port}\n`);
    await readHandshake(socket, { timeoutMs: answerMs, signal });
    return socket;
  } catch (error) {
    socket?.destroy();
    signal.throwIfAborted();
    if (error instanceof VsockError && error.failure === 'unanswered') return undefined;
    // A socket that was bound before the guest ran is gone with its VMM alone; all else may pass.
    if (!(error instanceof VsockError) && !hasCode(error, 'ENOENT', 'ECONNREFUSED')) return undefined;
    throw new AppError('AGENT_UNREACHABLE', `The channel to the guest's agent cannot be opened: ${describe(error)}`, {
      details: { socketPath: udsPath, port },
      cause: error,
    });
  }
}
