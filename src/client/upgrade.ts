/** Another protocol on a connection to the daemon. On node:net, which a short command has loaded already. */
import { createConnection, type Socket } from 'node:net';
import { buildIn, type HttpReply, HttpFailure, parseReply } from './http-over-unix.ts';

/** Of a reply that refuses; an error has a page at most. */
const MAX_REPLY_BYTES = 2 ** 20;

interface UpgradeRequest {
  readonly path: string;
  readonly protocol: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Asks for another protocol on a connection.
 *
 * @returns the connection, paused, with bytes of that protocol both ways, and which build is at its other end; or the
 * reply of a server that refused.
 * @throws HttpFailure, the socket's own error, or the signal's reason.
 */
export function upgrade(
  socketPath: string,
  request: UpgradeRequest,
): Promise<{ readonly socket: Socket; readonly build: string | undefined } | HttpReply> {
  const { path, protocol, signal } = request;
  const { promise, resolve, reject } = Promise.withResolvers<Awaited<ReturnType<typeof upgrade>>>();
  const socket = createConnection(socketPath);
  let heard: Buffer = Buffer.alloc(0);
  const onAbort = (): void => void socket.destroy(signal?.reason instanceof Error ? signal.reason : undefined);
  const settled = (): void => {
    socket.off('data', onData);
    socket.off('error', reject);
    signal?.removeEventListener('abort', onAbort);
  };
  const onData = (chunk: Buffer): void => {
    heard = Buffer.concat([heard, chunk]);
    const headEnd = heard.indexOf('\r\n\r\n');
    if (headEnd >= 0 && heard.toString('latin1', 0, 16).startsWith('HTTP/1.1 101 ')) {
      socket.pause();
      settled();
      // Whoever takes the connection listens for its errors; until then one must not end the program.
      socket.on('error', () => undefined);
      const rest = heard.subarray(headEnd + 4);
      if (rest.length > 0) socket.unshift(rest);
      resolve({ socket, build: buildIn(heard.toString('latin1', 0, headEnd)) });
    } else if (heard.length > MAX_REPLY_BYTES) socket.destroy();
  };
  socket.on('data', onData);
  socket.on('error', reject);
  socket.once('close', () => {
    settled();
    const reply = parseReply(heard);
    if (reply) resolve(reply);
    else reject(new HttpFailure('ECONNRESET', 'the connection was closed'));
  });
  if (signal?.aborted) onAbort();
  signal?.addEventListener('abort', onAbort, { once: true });
  const lines = [`GET ${path} HTTP/1.1`, 'Host: banger', 'Connection: Upgrade', `Upgrade: ${protocol}`];
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  return promise;
}
