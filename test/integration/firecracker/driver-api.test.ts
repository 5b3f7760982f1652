import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ApiClient } from '../../../src/adapters/firecracker/api-client.ts';
import { ApiError } from '../../../src/adapters/firecracker/api-message.ts';
import { rawServer } from '../../support/raw-server.ts';
import { makeTempDir } from '../../support/temp-dir.ts';

const TIMEOUT = { timeoutMs: 10_000 };
const SHORT = { timeoutMs: 100 };
/** As Firecracker writes it: the reason is empty, and a 204 has neither body nor length. */
const NO_CONTENT = 'HTTP/1.1 204 \r\nServer: Firecracker API\r\nConnection: keep-alive\r\n\r\n';

function reply(status: number, body: string): string {
  const length = `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}`;
  return `HTTP/1.1 ${status} \r\nServer: Firecracker API\r\nConnection: keep-alive\r\n${length}\r\n\r\n${body}`;
}

async function client(serve: (request: string) => string | undefined) {
  const path = join(await makeTempDir(), 's');
  const server = await rawServer(path, (socket) => {
    socket.on('data', (chunk) => {
      const answer = serve(chunk.toString('latin1'));
      if (answer === undefined) socket.destroy();
      else socket.write(answer);
    });
  });
  return { api: new ApiClient(path), server };
}

async function failureOf(work: Promise<unknown>): Promise<ApiError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ApiError);
  return error as ApiError;
}

describe('a request', () => {
  test('goes over one connection, whole and with its length, one at a time', async () => {
    const { api, server } = await client(() => NO_CONTENT);
    const body = { level: 'Warning', path: undefined, text: 'ü' };
    await Promise.all([
      api.send({ method: 'PUT', path: '/logger', body }, TIMEOUT),
      api.send({ method: 'PATCH', path: '/vm', body: {} }, TIMEOUT),
      api.send({ method: 'PUT', path: '/entropy', body: {} }, TIMEOUT),
    ]);
    expect(server.connections()).toBe(1);
    const [said = ''] = server.heard();
    expect(said).toMatch(/^PUT \/logger HTTP\/1\.1\r\n/);
    expect(said).toContain('Content-Length: 31\r\n');
    expect(said).toContain('{"level":"Warning","text":"Ã¼"}PATCH /vm');
    expect(said).not.toMatch(/chunked|Expect/i);
    api.close();
  });

  test('without a body says nothing of one', async () => {
    const { api, server } = await client(() => reply(200, '{"state":"Running"}'));
    expect(await api.get('/', TIMEOUT)).toEqual({ state: 'Running' });
    expect(server.heard()[0]).not.toMatch(/content-|transfer-/i);
    api.close();
  });
});

describe('an answer that is none', () => {
  test.each([
    [
      'a fault',
      reply(400, '{"fault_message":"The kernel file cannot be opened"}'),
      'refused',
      /\(400\): The kernel file/,
    ],
    ['the server’s own fault', reply(400, '{ "error": "Payload\nlimit" }'), 'refused', /Payload limit/],
    ['too many connections', reply(503, '{ "error": "Too many open connections" }'), 'refused', /503.*Too many/],
    ['no JSON', reply(200, '{'), 'protocol', /not JSON/],
    ['no HTTP', 'SSH-2.0-OpenSSH\r\n\r\n', 'protocol', /not answered as HTTP has it/],
    ['an endless header', `HTTP/1.1 200 \r\nX: ${'x'.repeat(100_000)}`, 'protocol', /not answered as HTTP has it/],
    ['an endless body', reply(200, `"${'x'.repeat(2 ** 20)}"`), 'protocol', /more than 1048576 bytes/],
    ['the end', undefined, 'closed', /closed the connection/],
    ['half a body', reply(200, '{}').slice(0, -1), 'timeout', /within 100 ms/],
    ['silence', '', 'timeout', /did not answer GET \/ within 100 ms/],
  ] as const)('%s', async (_what, answer, failure, message) => {
    const { api } = await client(() => answer);
    const error = await failureOf(api.get('/', failure === 'timeout' ? SHORT : TIMEOUT));
    expect(error.failure).toBe(failure);
    expect(error.message).toMatch(message);
    api.close();
  });

  test('leaves a connection that can be used where it came from the API, and is let go where it did not', async () => {
    let answer = reply(400, '{"fault_message":"no"}');
    const { api, server } = await client(() => answer);
    await failureOf(api.get('/', TIMEOUT));
    await failureOf(api.get('/', TIMEOUT));
    expect(server.connections()).toBe(1);
    answer = reply(400, '{ "error": "no" }');
    await failureOf(api.get('/', TIMEOUT));
    answer = NO_CONTENT;
    await api.get('/', TIMEOUT);
    expect(server.connections()).toBe(2);
    api.close();
  });

  test('is waited for no longer than the signal says', async () => {
    const { api } = await client(() => '');
    const reason = new TypeError('enough');
    const abort = new AbortController();
    const work = api.get('/', { timeoutMs: 10_000, signal: abort.signal });
    abort.abort(reason);
    await expect(work).rejects.toBe(reason);
    api.close();
  });
});

describe('a VMM that does not listen yet', () => {
  test('is asked again until it does', async () => {
    const path = join(await makeTempDir(), 's');
    const api = new ApiClient(path);
    const answer = api.getOnceListening('/version', TIMEOUT);
    await failureOf(api.get('/', TIMEOUT));
    await rawServer(path, (socket) => socket.on('data', () => socket.write(reply(200, '"here"'))));
    expect(await answer).toBe('here');
    api.close();
  });

  test('is given up at the deadline, or when the signal says', async () => {
    const api = new ApiClient(join(await makeTempDir(), 's'));
    expect((await failureOf(api.getOnceListening('/version', SHORT))).failure).toBe('unreachable');
    const reason = new TypeError('enough');
    const abort = AbortSignal.abort(reason);
    await expect(api.getOnceListening('/version', { timeoutMs: 10_000, signal: abort })).rejects.toBe(reason);
  });

  test('is given up at the deadline where it accepts and says nothing', async () => {
    const { api } = await client(() => '');
    expect((await failureOf(api.getOnceListening('/version', SHORT))).failure).toBe('timeout');
    api.close();
  });
});
