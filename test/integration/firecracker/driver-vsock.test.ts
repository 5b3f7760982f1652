import type { Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { StreamTurn } from '../../../src/adapters/firecracker/stream-turn.ts';
import { openGuestPort } from '../../../src/adapters/firecracker/vsock.ts';
import { rawServer } from '../../support/raw-server.ts';
import { makeTempDir } from '../../support/temp-dir.ts';

const NEVER = new AbortController().signal;
const OK = 'OK 1073741824\n';

async function guest(serve: (socket: Socket, index: number) => void) {
  const path = join(await makeTempDir(), 's');
  return { path, server: await rawServer(path, serve) };
}

/** Answers as soon as it is asked. */
function answering(answer: string | Buffer) {
  return (socket: Socket): void => {
    socket.once('data', () => socket.write(answer));
  };
}

async function firstBytes(socket: Socket, count: number): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
    if (text.length >= count) resolve(text);
  });
  return promise;
}

describe('a port in the guest', () => {
  test('is asked for in one line, and what follows the answer is the guest’s', async () => {
    const { path, server } = await guest(answering(`${OK}hello`));
    const socket = await openGuestPort(path, 7117, NEVER);
    expect(await firstBytes(socket, 5)).toBe('hello');
    expect(server.heard()).toEqual(['CONNECT 7117\n']);
    socket.destroy();
  });

  test('carries both ways after an answer that came byte by byte', async () => {
    const { path } = await guest((socket) => {
      socket.once('data', () => {
        socket.on('data', (chunk) => socket.write(chunk));
        const bytes = `${OK}a`.split('');
        const next = (): void => {
          const byte = bytes.shift();
          if (byte !== undefined) socket.write(byte, () => setImmediate(next));
        };
        next();
      });
    });
    const socket = await openGuestPort(path, 7117, NEVER);
    expect(await firstBytes(socket, 1)).toBe('a');
    socket.write('echo');
    expect(await firstBytes(socket, 4)).toBe('echo');
    socket.destroy();
  });

  test('is asked for again where nobody in the guest accepts, or nothing answers', async () => {
    const { path, server } = await guest((socket, index) => {
      if (index === 0) socket.once('data', () => socket.end());
      else if (index === 1) socket.once('data', () => socket.destroy());
      else if (index === 2) socket.destroy();
      // The third has no driver yet: the deadline passes.
      else if (index > 3) answering(OK)(socket);
    });
    const socket = await openGuestPort(path, 7117, NEVER);
    expect(server.connections()).toBe(5);
    socket.destroy();
  });

  test.each([
    ['something else', 'HTTP/1.1 400 \n'],
    ['a number too many', 'OK 12345678901\n'],
    ['a line without end', 'OK '.repeat(20)],
    ['nothing but bytes', Buffer.alloc(1_000_000)],
    ['an empty line', '\nOK 1\n'],
  ])('is given up where %s is answered', async (_what, answer) => {
    const { path, server } = await guest(answering(answer));
    await expect(openGuestPort(path, 7117, NEVER)).rejects.toMatchObject({ code: 'AGENT_UNREACHABLE' });
    expect(server.connections()).toBe(1);
  });

  test('is given up where the VMM is gone', async () => {
    const path = join(await makeTempDir(), 's');
    await expect(openGuestPort(path, 7117, NEVER)).rejects.toMatchObject({ code: 'AGENT_UNREACHABLE' });
  });

  test('is waited for no longer than the signal says', async () => {
    const reason = new TypeError('enough');
    const abort = new AbortController();
    const { path } = await guest((socket) => socket.once('data', () => abort.abort(reason)));
    await expect(openGuestPort(path, 7117, abort.signal)).rejects.toBe(reason);
    const pausing = new AbortController();
    const { path: closing } = await guest((socket) =>
      socket.once('data', () => {
        socket.destroy();
        setImmediate(() => pausing.abort(reason));
      }),
    );
    await expect(openGuestPort(closing, 7117, pausing.signal)).rejects.toBe(reason);
  });
});

describe('streams of one machine', () => {
  test('are had one at a time; whoever gives up lets the next one have its turn', async () => {
    const { path, server } = await guest(answering(OK));
    const turn = new StreamTurn();
    const open = () => openGuestPort(path, 7117, NEVER);
    const first = await turn.take(open, NEVER);
    const abort = new AbortController();
    const reason = new TypeError('enough');
    const second = turn.take(open, abort.signal);
    const third = turn.take(open, NEVER);
    abort.abort(reason);
    await expect(second).rejects.toBe(reason);
    expect(server.connections()).toBe(1);
    first.destroy();
    const stream = await third;
    expect(server.connections()).toBe(2);
    stream.destroy();
  });

  test('one that cannot be opened stands in nobody’s way', async () => {
    const turn = new StreamTurn();
    const fault = new TypeError('no');
    await expect(turn.take(() => Promise.reject(fault), NEVER)).rejects.toBe(fault);
    const { path } = await guest(answering(OK));
    const stream = await turn.take(() => openGuestPort(path, 7117, NEVER), NEVER);
    stream.destroy();
  });
});
