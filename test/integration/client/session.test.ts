/** One command's talk with a daemon that breaks off: what is said once more, and what is not. */
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { Session } from '../../../src/client/session.ts';
import { buildId } from '../../../src/host/build-id.ts';
import { makeTempDir } from '../../support/temp-dir.ts';

const uid = process.getuid?.() ?? 0;

/** A daemon that answers everything with its status; a request that `breaks` has no answer but a broken connection. */
async function startDaemon(
  breaks: (line: string, earlier: number) => boolean,
  build = buildId(),
): Promise<{ readonly session: Session; readonly lines: string[] }> {
  const session = new Session({ env: { BANGER_HOME: await makeTempDir() }, uid, warn: () => undefined });
  const lines: string[] = [];
  const answer = (socket: Socket, request: string): void => {
    const line = request.split(' HTTP', 1)[0] ?? '';
    const earlier = lines.filter((known) => known === line).length;
    lines.push(line);
    if (breaks(line, earlier)) return void socket.destroy();
    const body = JSON.stringify({ buildId: buildId(), runningOperations: 0 });
    socket.end(`HTTP/1.1 200 OK\r\nx-banger-build: ${build}\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
  };
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.once('data', (chunk) => answer(socket, chunk.toString()));
  });
  mkdirSync(dirname(session.paths.daemonSocket), { recursive: true, mode: 0o700 });
  server.listen(session.paths.daemonSocket);
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return { session, lines };
}

test('what only reads is asked for at once, and of the daemon of our own build', async () => {
  const { session, lines } = await startDaemon(() => false);
  await session.call('vmList', {});
  expect(lines).toEqual(['GET /v1/vms']);
});

test('where another build answers, it is found out first who is there', async () => {
  const { session, lines } = await startDaemon(() => false, 'bundle-ffffffffffff');
  await session.call('vmList', {});
  expect(lines).toEqual(['GET /v1/vms', 'GET /v1/daemon', 'GET /v1/vms']);
});

test('a deletion whose connection breaks is asked for once more', async () => {
  const { session, lines } = await startDaemon((line, earlier) => line.startsWith('DELETE') && earlier === 0);
  await session.call('vmDelete', { params: { name: 'box' } });
  expect(lines).toEqual(['GET /v1/daemon', 'DELETE /v1/vms/box', 'GET /v1/daemon', 'DELETE /v1/vms/box']);
});

test('a start whose connection breaks is not: it may have been begun', async () => {
  const { session, lines } = await startDaemon((line) => line.startsWith('POST'));
  await expect(session.call('vmStart', { params: { name: 'box' } })).rejects.toMatchObject({
    code: 'DAEMON_UNREACHABLE',
  });
  expect(lines).toEqual(['GET /v1/daemon', 'POST /v1/vms/box/start']);
});
