import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

export interface RawServer {
  /** So many connections were made to it. */
  readonly connections: () => number;
  /** Everything that was said to it, in the order of connections. */
  readonly heard: () => string[];
}

/** Listens on a unix socket and does with each connection what the test says; gone with the test. */
export async function rawServer(path: string, serve: (socket: Socket, index: number) => void): Promise<RawServer> {
  const sockets: Socket[] = [];
  const heard: string[] = [];
  const server = createServer((socket) => {
    const index = sockets.push(socket) - 1;
    heard.push('');
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk) => {
      heard[index] = `${heard[index]}${chunk.toString('latin1')}`;
    });
    serve(socket, index);
  });
  server.listen(path);
  await once(server, 'listening');
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return { connections: () => sockets.length, heard: () => heard };
}
