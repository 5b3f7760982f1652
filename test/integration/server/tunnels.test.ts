import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test } from 'vitest';
import { AppError } from '../../../src/core/app-error.ts';
import type { Handlers } from '../../../src/daemon/route-handlers.ts';
import { makeTempDir } from '../../support/temp-dir.ts';
import { startTestServer, type TestServer } from '../../support/test-server.ts';

const PATH = '/v1/vms/otter/tcp/22';

/** A guest's port, played by a unix socket: what it does with a connection is the test's. */
async function startGuest(
  serve: (socket: Socket) => void,
): Promise<{ readonly dial: () => Promise<Duplex>; readonly guest: Server }> {
  const path = join(await makeTempDir(), 'guest.sock');
  const guest = createServer({ allowHalfOpen: true }, serve).listen(path);
  await once(guest, 'listening');
  onTestFinished(() => void guest.close());
  const dial = async (): Promise<Duplex> => {
    const socket = connect({ path, allowHalfOpen: true });
    await once(socket, 'connect');
    return socket;
  };
  return { dial, guest };
}

/** The whole handshake by hand, so that nothing of the client hides what the server does. */
async function openTunnel(server: TestServer, first: string | Buffer = ''): Promise<Socket> {
  const socket = connect({ path: server.socketPath, allowHalfOpen: true });
  onTestFinished(() => void socket.destroy());
  socket.write(
    Buffer.concat([
      Buffer.from(`GET ${PATH} HTTP/1.1\r\nHost: banger\r\nConnection: Upgrade\r\nUpgrade: banger-tcp\r\n\r\n`),
      Buffer.from(first),
    ]),
  );
  let head = Buffer.alloc(0);
  while (!head.includes('\r\n\r\n')) {
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    head = Buffer.concat([head, chunk]);
  }
  socket.pause();
  const end = head.indexOf('\r\n\r\n') + 4;
  expect(head.toString('latin1', 0, end)).toBe(
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: banger-tcp\r\nx-banger-build: bundle-0123456789ab\r\n\r\n',
  );
  if (end < head.length) socket.unshift(head.subarray(end));
  return socket;
}

const tunnelTo = (dial: () => Promise<Duplex>): Partial<Handlers> => ({ vmTunnel: dial });

describe('a tunnel', () => {
  test('carries bytes both ways, those sent along with the request first', async () => {
    const { dial } = await startGuest((socket) => socket.pipe(socket));
    const server = await startTestServer(tunnelTo(dial));
    const socket = await openTunnel(server, 'sent with the request ');
    socket.end('and after');
    expect(await text(socket)).toBe('sent with the request and after');
  });

  test('hands the handler what it was asked for', async () => {
    const { dial } = await startGuest((socket) => socket.end());
    const asked: unknown[] = [];
    const server = await startTestServer({
      vmTunnel: ({ params }) => {
        asked.push(params);
        return dial();
      },
    });
    (await openTunnel(server)).destroy();
    expect(asked).toEqual([{ name: 'otter', port: 22 }]);
  });

  test('lets the client end its half and still hear the answer', async () => {
    const { dial } = await startGuest((socket) => {
      void text(socket).then((question) => socket.end(`you asked: ${question}`));
    });
    const server = await startTestServer(tunnelTo(dial));
    const socket = await openTunnel(server);
    socket.end('why?');
    expect(await text(socket)).toBe('you asked: why?');
  });

  test('lets the guest end its half and still hear the client', async () => {
    const { promise: heard, resolve } = Promise.withResolvers<string>();
    const { dial } = await startGuest((socket) => {
      socket.end('banner');
      void text(socket).then(resolve);
    });
    const server = await startTestServer(tunnelTo(dial));
    const socket = await openTunnel(server);
    expect(await text(socket)).toBe('banner');
    socket.end('late words');
    expect(await heard).toBe('late words');
  });

  test('carries 32 MiB each way at once, unharmed', async () => {
    const { dial } = await startGuest((socket) => socket.pipe(socket));
    const server = await startTestServer(tunnelTo(dial));
    const socket = await openTunnel(server);
    const sent = Buffer.alloc(32 * 2 ** 20);
    for (let offset = 0; offset < sent.length; offset += 4) sent.writeUInt32LE((offset * 2654435761) >>> 0, offset);
    socket.end(sent);
    expect((await buffer(socket)).equals(sent)).toBe(true);
  });

  test('that the guest drops is over for the client too', async () => {
    const { dial } = await startGuest((socket) => socket.once('data', () => socket.destroy()));
    const server = await startTestServer(tunnelTo(dial));
    const socket = await openTunnel(server);
    socket.write('die');
    expect(await text(socket)).toBe('');
    socket.end();
    await once(socket, 'close');
  });

  test('whose client dies is over for the guest too', async () => {
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    const { dial } = await startGuest((socket) => {
      socket.once('close', () => resolve());
      socket.once('end', () => socket.end());
      socket.resume();
    });
    const server = await startTestServer(tunnelTo(dial));
    const socket = await openTunnel(server);
    socket.destroy();
    await closed;
  });

  test('is ended when the daemon stops', async () => {
    const { dial } = await startGuest((socket) => socket.pipe(socket));
    const server = await startTestServer(tunnelTo(dial));
    const socket = await openTunnel(server);
    const startedAt = performance.now();
    await Promise.all([text(socket), server.running.close()]);
    expect(performance.now() - startedAt).toBeLessThan(1500);
  });

  test('that is opened too late, for a client that is gone, is let go', async () => {
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    const { promise: asked, resolve: begin } = Promise.withResolvers<void>();
    const { promise: mayDial, resolve: letDial } = Promise.withResolvers<void>();
    const { dial } = await startGuest((socket) => {
      socket.once('close', () => resolve());
      socket.once('end', () => socket.end());
      socket.resume();
    });
    const server = await startTestServer({
      vmTunnel: async () => {
        begin();
        await mayDial;
        return dial();
      },
    });
    const socket = connect(server.socketPath);
    socket.write(`GET ${PATH} HTTP/1.1\r\nHost: banger\r\nConnection: Upgrade\r\nUpgrade: banger-tcp\r\n\r\n`);
    await asked;
    socket.destroy();
    await once(socket, 'close');
    letDial();
    await closed;
  });
});

describe('refused before the upgrade, as any HTTP request', () => {
  /** Asks for the upgrade through Node's own client. */
  async function askUpgrade(
    server: TestServer,
    path: string,
  ): Promise<{ status: number; code: unknown; connection: unknown }> {
    const { promise, resolve, reject } = Promise.withResolvers<{
      status: number;
      code: unknown;
      connection: unknown;
    }>();
    const sent = httpRequest({
      socketPath: server.socketPath,
      path,
      headers: { connection: 'Upgrade', upgrade: 'banger-tcp' },
    });
    sent.once('response', (reply) => {
      text(reply).then((body) => {
        const { code } = JSON.parse(body) as { code: unknown };
        resolve({ status: reply.statusCode ?? 0, code, connection: reply.headers.connection });
      }, reject);
    });
    sent.once('upgrade', () => reject(new Error('was upgraded')));
    sent.once('error', reject);
    sent.end();
    return promise;
  }

  test.each([
    ['/v1/vms/otter/tcp/0', 400, 'REQUEST_INVALID'],
    ['/v1/vms/otter/tcp/65536', 400, 'REQUEST_INVALID'],
    ['/v1/vms/otter/tcp/ssh', 400, 'REQUEST_INVALID'],
    ['/v1/vms/..%2Fotter/tcp/22', 400, 'REQUEST_INVALID'],
    ['/v1/vms/otter/udp/22', 404, 'ROUTE_UNKNOWN'],
    [PATH, 502, 'GUEST_UNREACHABLE'],
  ])('%s', async (path, status, code) => {
    const server = await startTestServer({
      vmTunnel: () => Promise.reject(new AppError('GUEST_UNREACHABLE', 'nobody is at home')),
    });
    expect(await askUpgrade(server, path)).toEqual({ status, code, connection: 'close' });
  });

  test('where the upgrade is not asked for, or another one is', async () => {
    const server = await startTestServer({});
    for (const headers of [{}, { connection: 'Upgrade', upgrade: 'websocket' }]) {
      const answer = await server.ask({ path: PATH, headers });
      expect(answer.status).toBe(400);
      expect(answer.text).toContain('Upgrade: banger-tcp');
    }
  });

  test('an upgrade of what is no tunnel', async () => {
    const server = await startTestServer({ imageList: () => [] });
    const sent = httpRequest({
      socketPath: server.socketPath,
      path: '/v1/images',
      headers: { connection: 'Upgrade', upgrade: 'banger-tcp' },
    });
    sent.end();
    const [reply] = await once(sent, 'response');
    expect(await text(reply)).toBe('[]');
  });

  test('an error after which others are served as before', async () => {
    const server = await startTestServer({ imageList: () => [] });
    await askUpgrade(server, '/v1/vms/otter/tcp/0');
    expect(await server.ask({ path: '/v1/images' })).toMatchObject({ status: 200 });
  });
});
