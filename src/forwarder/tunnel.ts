/** A connection to a guest's port, through the daemon: by its API's tunnels, written by hand so that no HTTP is loaded. */
import { connect, type Socket } from 'node:net';
import { ADDRESSES, API_PREFIX } from '../contracts/addresses.ts';

/** The daemon gives a guest ten seconds to answer. */
const OPEN_TIMEOUT_MS = 15_000;
const MAX_HEAD_BYTES = 16 * 1024;

/**
 * @returns a stream of raw bytes, each side of which may end before the other.
 * @throws Error where there is no daemon, or the guest does not answer.
 */
export async function openTunnel(socketPath: string, vmName: string, port: number): Promise<Socket> {
  const socket = connect({ path: socketPath, allowHalfOpen: true });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => reject(new Error('the daemon does not answer')), OPEN_TIMEOUT_MS);
  const onClose = (): void => reject(new Error('the daemon closed the connection'));
  let head = Buffer.alloc(0);
  const onReadable = (): void => {
    for (let chunk = read(socket); chunk; chunk = read(socket)) {
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf('\r\n\r\n');
      if (end < 0 && head.length < MAX_HEAD_BYTES) continue;
      const [status = ''] = head.toString('latin1', 0, end).split('\r\n');
      if (!status.startsWith('HTTP/1.1 101 ')) return reject(new Error(`the daemon refused: ${status}`));
      // What the guest has said already.
      socket.off('readable', onReadable);
      socket.unshift(head.subarray(end + 4));
      return resolve();
    }
  };
  socket.once('error', reject);
  socket.once('close', onClose);
  socket.on('readable', onReadable);
  socket.write(requestText(vmName, port));
  try {
    await promise;
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
    socket.off('error', reject);
    socket.off('close', onClose);
    socket.off('readable', onReadable);
  }
}

function read(socket: Socket): Buffer | undefined {
  return (socket.read() as Buffer | null) ?? undefined;
}

function requestText(vmName: string, port: number): string {
  const { method, path } = ADDRESSES.vmTunnel;
  const address = API_PREFIX + path.replace('{name}', vmName).replace('{port}', String(port));
  return `${method} ${address} HTTP/1.1\r\nHost: banger\r\nConnection: Upgrade\r\nUpgrade: banger-tcp\r\n\r\n`;
}
