import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, onTestFinished, test } from 'vitest';
import { connectQmp } from '../../../src/adapters/qemu/qmp.ts';
import type { QmpEvent } from '../../../src/adapters/qemu/qmp-message.ts';
import { makeTempDir } from '../../support/temp-dir.ts';

const NEVER = new AbortController().signal;
const GREETING = '{"QMP": {"version": {}, "capabilities": []}}\r\n';

/** A server that greets, agrees to the handshake, and then answers as told. */
async function control(
  path: string,
  answer: (socket: Socket, command: string, id: number) => void = () => undefined,
): Promise<void> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.write(GREETING);
    createInterface({ input: socket }).on('line', (line) => {
      const { execute, id } = JSON.parse(line) as { execute: string; id: number };
      if (execute === 'qmp_capabilities') socket.write(`{"return": {}, "id": ${id}}\r\n`);
      else answer(socket, execute, id);
    });
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(path, resolve);
  await promise;
  onTestFinished(() => void server.close());
}

async function connected(answer: Parameters<typeof control>[1], events: QmpEvent[] = []) {
  const path = join(await makeTempDir(), 'qmp.sock');
  await control(path, answer);
  const options = { timeoutMs: 10_000, onEvent: (event: QmpEvent) => void events.push(event) };
  const connection = await connectQmp(path, options, NEVER);
  onTestFinished(() => connection.close());
  return connection;
}

describe('execute', () => {
  test('gives the answer with its own id, whatever else comes before', async () => {
    const events: QmpEvent[] = [];
    const connection = await connected((socket, command, id) => {
      socket.write(`{"return": "stale", "id": ${id + 100}}\n{"event": "STOP"}\n\n`);
      socket.write(`{"return": {"command": "${command}"}, "id": ${id}, "timestamp": 1}\n`);
    }, events);
    expect(await connection.execute('query-name', { timeoutMs: 10_000 })).toEqual({ command: 'query-name' });
    expect(events).toEqual([{ name: 'STOP', data: {} }]);
  });

  test('answers may come in another order', async () => {
    const waiting: number[] = [];
    const connection = await connected((socket, _command, id) => {
      waiting.push(id);
      if (waiting.length < 2) return;
      for (const each of waiting.toReversed()) socket.write(`{"return": ${each}, "id": ${each}}\n`);
    });
    const [first, second] = await Promise.all([
      connection.execute('a', { timeoutMs: 10_000 }),
      connection.execute('b', { timeoutMs: 10_000 }),
    ]);
    expect(Number(second)).toBe(Number(first) + 1);
  });

  test('an error is refused in QEMU’s words', async () => {
    const connection = await connected((socket, _command, id) => {
      socket.write(`{"error": {"class": "GenericError", "desc": "not now"}, "id": ${id}}\n`);
    });
    await expect(connection.execute('cont', { timeoutMs: 10_000 })).rejects.toMatchObject({
      failure: 'refused',
      message: expect.stringContaining('not now'),
    });
  });

  test('has a deadline, after which the connection still serves', async () => {
    const connection = await connected((socket, command, id) => {
      if (command === 'answered') socket.write(`{"return": true, "id": ${id}}\n`);
    });
    await expect(connection.execute('ignored', { timeoutMs: 50 })).rejects.toMatchObject({ failure: 'timeout' });
    expect(await connection.execute('answered', { timeoutMs: 10_000 })).toBe(true);
  });

  test('fails when the connection ends, and ever after', async () => {
    const connection = await connected((socket) => socket.destroy());
    const options = { timeoutMs: 10_000 };
    await expect(connection.execute('quit', options)).rejects.toMatchObject({ failure: 'closed' });
    await expect(connection.execute('again', options)).rejects.toMatchObject({ failure: 'closed' });
    expect((await connection.closed).failure).toBe('closed');
  });

  test('fails with the reason of its signal', async () => {
    const connection = await connected(() => undefined);
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(connection.execute('cont', { timeoutMs: 10_000, signal })).rejects.toThrow('enough');
  });
});

describe('connectQmp', () => {
  const options = { timeoutMs: 100, onEvent: (): void => undefined };

  test('gives up at its deadline where there is no socket', async () => {
    const path = join(await makeTempDir(), 'absent.sock');
    await expect(connectQmp(path, options, NEVER)).rejects.toMatchObject({ failure: 'timeout' });
  });

  test('waits for a socket that is made later', async () => {
    const later = join(await makeTempDir(), 'later.sock');
    const connecting = connectQmp(later, { ...options, timeoutMs: 10_000 }, NEVER);
    await control(later);
    const connection = await connecting;
    connection.close();
    expect((await connection.closed).message).toContain('let go');
  });

  test('says at once where a path can never be a socket', async () => {
    await expect(connectQmp('/dev/null/x', options, NEVER)).rejects.toMatchObject({ failure: 'connect' });
  });

  test('fails with the reason of its signal', async () => {
    const path = join(await makeTempDir(), 'absent.sock');
    await expect(connectQmp(path, options, AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
  });
});
