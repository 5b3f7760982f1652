import { duplexPair, type Duplex } from 'node:stream';
import { expect, onTestFinished, test, vi } from 'vitest';
import { AppError } from '../../../../src/core/app-error.ts';
import { type Dial, HttpProbe } from '../../../../src/core/publishing/http-probe.ts';

const TARGET = { address: '10.77.0.2', port: 3000, hostName: 'calm-otter.vm', pid: 7 };
const SIGNAL = new AbortController().signal;

/** A guest whose port does with a connection what the test says. */
function guest(serve: (connection: Duplex) => void) {
  const dialled: number[] = [];
  const connections: Duplex[] = [];
  const dial: Dial = (_address, port) => {
    dialled.push(port);
    const [ours, theirs] = duplexPair();
    serve(theirs);
    connections.push(ours);
    return Promise.resolve(ours);
  };
  return { dial, dialled, connections };
}

test('the question is a whole request, that asks for nothing', async () => {
  let asked = '';
  const { dial } = guest((connection) => {
    connection.once('data', (chunk: Buffer) => {
      asked = String(chunk);
      connection.end('HTTP/1.1 404 Not Found\r\n\r\n');
    });
  });
  expect(await new HttpProbe(dial).answers(TARGET, SIGNAL)).toBe(true);
  expect(asked).toMatch(/^HEAD \/ HTTP\/1\.1\r\nHost: calm-otter\.vm:3000\r\n[^]*\r\n\r\n$/);
});

test.each([
  ['HTTP/1.0 200 OK\r\n', true],
  ['HTTP/1.1 500 Oh\r\n', true],
  ['SSH-2.0-OpenSSH_9.2\r\n', false],
  ['\u0015\u0003\u0001\u0000\u0002\u0002\u0016aaaaaa', false],
  ['HTTP/1.1 ', false],
  ['', false],
])('%j: %s', async (answer, expected) => {
  const { dial } = guest((connection) => connection.end(answer));
  expect(await new HttpProbe(dial).answers(TARGET, SIGNAL)).toBe(expected);
});

test('an answer that comes byte by byte is put together', async () => {
  const { dial } = guest((connection) => {
    for (const byte of 'HTTP/1.1 200') connection.write(byte);
  });
  expect(await new HttpProbe(dial).answers(TARGET, SIGNAL)).toBe(true);
});

test('a guest that never stops talking is not listened to', async () => {
  const { dial } = guest((connection) => {
    // As a socket does, and a pair in memory does not: what comes, comes by the event loop.
    const more = (): void => {
      if (!connection.destroyed) connection.write(Buffer.alloc(65_536, 'x'));
    };
    connection.on('drain', () => setImmediate(more));
    connection.on('error', () => undefined);
    more();
  });
  expect(await new HttpProbe(dial).answers(TARGET, SIGNAL)).toBe(false);
});

test('a port that refuses is none', async () => {
  const dial: Dial = () => Promise.reject(new AppError('GUEST_UNREACHABLE', 'no'));
  expect(await new HttpProbe(dial).answers(TARGET, SIGNAL)).toBe(false);
});

test('a guest that says nothing is given two seconds', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
  const timeout = vi.spyOn(AbortSignal, 'timeout').mockImplementation((ms) => {
    const late = new AbortController();
    setTimeout(() => late.abort(new Error('late')), ms);
    return late.signal;
  });
  onTestFinished(() => timeout.mockRestore());
  const { dial } = guest(() => undefined);
  const answer = new HttpProbe(dial).answers(TARGET, SIGNAL);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(await answer).toBe(false);
});

test('an answer is remembered, but not for another process', async () => {
  const { dial, dialled } = guest((connection) => connection.end('HTTP/1.1 200 OK'));
  const probe = new HttpProbe(dial);
  await probe.answers(TARGET, SIGNAL);
  await probe.answers(TARGET, SIGNAL);
  expect(dialled).toHaveLength(1);
  await probe.answers({ ...TARGET, pid: 8 }, SIGNAL);
  expect(dialled).toHaveLength(2);
});

test('eight are asked at once, and one that is given up leaves its turn to the next', async () => {
  const open: Duplex[] = [];
  const { dial } = guest((connection) => open.push(connection));
  const probe = new HttpProbe(dial);
  const given = new AbortController();
  const asked = Array.from({ length: 9 }, (_, port) => probe.answers({ ...TARGET, port }, SIGNAL));
  const impatient = probe.answers({ ...TARGET, port: 100 }, given.signal);
  const last = probe.answers({ ...TARGET, port: 101 }, SIGNAL);
  impatient.catch(() => undefined);
  await vi.waitFor(() => expect(open).toHaveLength(8));
  given.abort(new Error('given up'));
  for (const connection of open.slice(0, 8)) connection.end('HTTP/1.1 200 OK');
  await vi.waitFor(() => expect(open).toHaveLength(10));
  for (const connection of open.slice(8)) connection.end('HTTP/1.1 200 OK');
  expect(await Promise.all([...asked, last])).toEqual(Array.from({ length: 10 }, () => true));
  await expect(impatient).rejects.toThrow('given up');
});

test.each([['HTTP/1.1 200 OK'], ['SSH-2.0-OpenSSH_9.2\r\n']])(
  'a connection that answered %j is closed',
  async (answer) => {
    const { dial, connections } = guest((connection) => connection.write(answer));
    await new HttpProbe(dial).answers(TARGET, SIGNAL);
    expect(connections.map(({ destroyed }) => destroyed)).toEqual([true]);
  },
);
