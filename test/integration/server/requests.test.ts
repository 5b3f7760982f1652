import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { errorBodySchema } from '../../../src/contracts/errors.ts';
import { ROUTES } from '../../../src/contracts/routes.ts';
import { AppError } from '../../../src/core/app-error.ts';
import { imageRecord, operationRecord } from '../../support/records.ts';
import { type Answer, startTestServer } from '../../support/test-server.ts';

const errorOf = (answer: Answer) => errorBodySchema.parse(JSON.parse(answer.text));
const JSON_TYPE = { 'content-type': 'application/json' };

describe('replies', () => {
  test('a resource', async () => {
    const seen: unknown[] = [];
    const server = await startTestServer({
      imageShow: (input) => {
        seen.push(input);
        return imageRecord();
      },
    });
    const answer = await server.ask({ path: '/v1/images/base' });
    expect(answer).toMatchObject({ status: 200, headers: JSON_TYPE });
    expect(answer.headers['x-request-id']).toMatch(/^req-[0-9a-f]{8}$/);
    expect(JSON.parse(answer.text)).toEqual(imageRecord());
    expect(seen).toEqual([{ params: { name: 'base' }, query: undefined, body: undefined }]);
  });

  test('an operation: 202, and where it is', async () => {
    const seen: unknown[] = [];
    const server = await startTestServer({
      imageBuild: ({ params, body }) => {
        seen.push({ params, body });
        return Promise.resolve(operationRecord({ id: 'op-abcdefghij' }));
      },
    });
    const answer = await server.post('/v1/images/dev/builds', { from: 'base', packages: ['jq'] });
    expect(answer).toMatchObject({ status: 202, headers: { location: '/v1/operations/op-abcdefghij' } });
    expect(seen).toEqual([
      {
        params: { name: 'dev' },
        body: { from: 'base', preset: 'dev', packages: ['jq'], docker: false, without: [], keepFailed: false },
      },
    ]);
  });

  test('text', async () => {
    const server = await startTestServer({ operationLog: () => '[boot] ünïcödé\n' });
    const answer = await server.ask({ path: '/v1/operations/op-abcdefghij/log' });
    expect(answer).toMatchObject({ status: 200, headers: { 'content-type': 'text/plain; charset=utf-8' } });
    expect(answer.text).toBe('[boot] ünïcödé\n');
  });

  test('the OpenAPI document', async () => {
    const server = await startTestServer({});
    const answer = await server.ask({ path: '/v1/openapi.json' });
    expect(answer).toMatchObject({ status: 200, headers: JSON_TYPE });
    expect(JSON.parse(answer.text)).toMatchObject({ openapi: '3.1.0' });
  });

  test('one that does not fit the table is a fault of ours, where replies are checked', async () => {
    const wrong = { ...imageRecord(), digest: 'md5:nonsense' };
    const checked = await startTestServer({ imageShow: () => wrong }, { checkReplies: true });
    expect(await checked.ask({ path: '/v1/images/base' })).toMatchObject({ status: 500 });
    const unchecked = await startTestServer({ imageShow: () => wrong });
    expect(await unchecked.ask({ path: '/v1/images/base' })).toMatchObject({ status: 200 });
  });

  test('a body may be left out where every field has a default', async () => {
    const bodies: unknown[] = [];
    const server = await startTestServer({
      daemonStop: ({ body }) => {
        bodies.push(body);
        return { pid: 1, runningVms: [] };
      },
    });
    expect(await server.ask({ method: 'POST', path: '/v1/daemon/stop' })).toMatchObject({ status: 200 });
    expect(bodies).toEqual([{ reason: 'user' }]);
  });

  test('hundreds on kept connections, all answered', async () => {
    const server = await startTestServer({ imageShow: ({ params }) => imageRecord({ name: params.name }) });
    const names = Array.from({ length: 300 }, (_, index) => `n${index}`);
    const answers = await Promise.all(names.map((name) => server.ask({ path: `/v1/images/${name}` })));
    expect(answers.map((answer) => (JSON.parse(answer.text) as { name: string }).name)).toEqual(names);
  });
});

describe('requests that are refused before any handler hears of them', () => {
  const build = '/v1/images/dev/builds';
  test.each([
    ['a name that is none', '/v1/images/Bad_Name/builds', { from: 'base' }, 'REQUEST_INVALID', 'name: "Bad_Name"'],
    ['a way out of a folder', '/v1/images/..%2Fx/builds', { from: 'base' }, 'REQUEST_INVALID', 'name: "../x"'],
    ['a command', '/v1/images/%24(reboot)/builds', { from: 'base' }, 'REQUEST_INVALID', '"$(reboot)"'],
    ['a half escape', '/v1/images/%zz/builds', { from: 'base' }, 'REQUEST_INVALID', '"%zz"'],
    [
      'an unknown field',
      build,
      { from: 'base', dokcer: true },
      'REQUEST_INVALID',
      'dokcer: there is no such key; did you mean "docker"?',
    ],
    ['a missing field', build, {}, 'REQUEST_INVALID', 'from'],
    ['a wrong type', build, { from: 'base', docker: 'yes' }, 'REQUEST_INVALID', 'docker'],
    ['a list', build, [], 'REQUEST_INVALID', 'a list is given, an object is expected'],
    ['null', build, null, 'REQUEST_INVALID', 'null is given'],
    ['a package that is an option', build, { from: 'base', packages: ['jq', '-y'] }, 'PACKAGE_NAME_INVALID', '"-y"'],
    ['a package with a space', build, { from: 'base', packages: ['a b'] }, 'PACKAGE_NAME_INVALID', 'packages.0'],
    ['a size too small', build, { from: 'base', sizeBytes: 12 }, 'SIZE_INVALID', 'the least is 64M'],
    ['an unknown step', build, { from: 'base', without: ['dokcer'] }, 'STEP_UNKNOWN', '"dokcer" is not one of base, '],
  ])('%s', async (_, path, body, code, words) => {
    const server = await startTestServer({});
    const answer = await server.post(path, body);
    const error = errorOf(answer);
    expect(error.code).toBe(code);
    expect(error.message).toContain(words);
    expect(error.hint).not.toBe('');
  });

  test('a prototype is a field like any other', async () => {
    const server = await startTestServer({});
    const body = '{"from":"base","__proto__":{"docker":true}}';
    const answer = await server.ask({ method: 'POST', path: build, headers: JSON_TYPE, body });
    expect(answer.status).toBe(400);
    expect(errorOf(answer).message).toContain('__proto__');
  });

  test.each([
    ['no JSON', '{"from": base}', JSON_TYPE, 'not JSON'],
    ['another type', 'from=base', { 'content-type': 'application/x-www-form-urlencoded' }, 'application/json'],
    ['no type', '{"from":"base"}', {}, 'application/json'],
    ['a type that only begins like it', '{}', { 'content-type': 'application/jsonp' }, 'application/json'],
    ['no UTF-8', Buffer.from([0x22, 0xff, 0xfe, 0x22]), JSON_TYPE, 'not UTF-8'],
    ['too much', 'x'.repeat(2 ** 21 + 1), JSON_TYPE, 'larger than 2097152 bytes'],
    [
      'too much, its length not told',
      'x'.repeat(2 ** 21 + 1),
      { ...JSON_TYPE, 'transfer-encoding': 'chunked' },
      'larger',
    ],
  ])('a body that is %s', async (_, body, headers, words) => {
    const server = await startTestServer({});
    const answer = await server.ask({ method: 'POST', path: build, headers, body });
    expect(answer.status).toBe(400);
    expect(errorOf(answer)).toMatchObject({ code: 'REQUEST_INVALID', message: expect.stringContaining(words) });
    // The connection is as good as before, or is replaced.
    expect((await server.ask({ path: '/v1/openapi.json' })).status).toBe(200);
  });

  test('a body where none is taken', async () => {
    const server = await startTestServer({ imagePromote: () => operationRecord() });
    const path = '/v1/images/dev/promotions';
    expect(errorOf(await server.post(path, { force: true })).message).toContain('force');
    expect((await server.post(path, {})).status).toBe(202);
    expect((await server.ask({ method: 'POST', path })).status).toBe(202);
  });

  test.each([
    ['/v1/images?all=1', 'all'],
    ['/v1/events?after=1&after=2', 'after: given more than once'],
    ['/v1/events?after=soon', 'after'],
    ['/v1/events?after=-1', 'after'],
  ])('the query of %s', async (path, words) => {
    const server = await startTestServer({});
    const answer = await server.ask({ path });
    expect(errorOf(answer)).toMatchObject({ code: 'REQUEST_INVALID', message: expect.stringContaining(words) });
  });

  test.each([
    ['GET', '/'],
    ['GET', '/v1'],
    ['GET', '/v2/images'],
    ['GET', '/v1/images/'],
    ['GET', '/v1/images/../../etc/passwd'],
    ['PUT', '/v1/images'],
    ['PATCH', '/v1/images/base'],
    ['OPTIONS', '/v1/images'],
    ['POST', '/v1/openapi.json'],
  ])('%s %s: no such address', async (method, path) => {
    const server = await startTestServer({});
    const answer = await server.ask({ method, path });
    expect(answer.status).toBe(404);
    expect(errorOf(answer)).toMatchObject({ code: 'ROUTE_UNKNOWN', details: { method } });
  });

  test('HEAD, which would leave a stream that nobody reads', async () => {
    const server = await startTestServer({});
    expect((await server.ask({ method: 'HEAD', path: '/v1/events' })).status).toBe(404);
  });

  test('a host that is none', async () => {
    const server = await startTestServer({});
    const answer = await server.ask({ path: '/v1/images', headers: { host: 'a b/c' } });
    expect(errorOf(answer)).toMatchObject({ code: 'REQUEST_INVALID' });
  });
});

describe('errors', () => {
  test('of the domain: code, status, words, hint and details', async () => {
    const server = await startTestServer({
      imageShow: ({ params }) => {
        throw new AppError('IMAGE_NOT_FOUND', `There is no image "${params.name}"`, { details: { name: params.name } });
      },
    });
    const answer = await server.ask({ path: '/v1/images/none' });
    expect(answer).toMatchObject({ status: 404, headers: JSON_TYPE });
    expect(errorOf(answer)).toEqual({
      code: 'IMAGE_NOT_FOUND',
      message: 'There is no image "none"',
      hint: '`banger image list` shows the images there are.',
      details: { name: 'none' },
    });
  });

  test('of ours: the client learns where to look and nothing else; the log has the stack', async () => {
    const server = await startTestServer({
      imageList: () => Promise.reject(new TypeError('secret is not a function')),
    });
    const answer = await server.ask({ path: '/v1/images' });
    const error = errorOf(answer);
    expect(answer.status).toBe(500);
    expect(error.code).toBe('INTERNAL');
    expect(answer.text).not.toContain('secret');
    expect(error.message).toContain('/var/log/banger-test.log');
    const requestId = answer.headers['x-request-id'];
    expect(error.message).toContain(requestId);
    const line = server.logged().find((entry) => entry['requestId'] === requestId && entry['level'] === 50);
    expect(line).toMatchObject({ err: { message: 'secret is not a function', stack: expect.stringContaining('at ') } });
  });

  test('of a request that its client gave up reach the handler as an abort', async () => {
    const { promise: aborted, resolve } = Promise.withResolvers<boolean>();
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
    const server = await startTestServer({
      imageList: (_, { signal }) => {
        begin();
        return new Promise((finish) => {
          signal.addEventListener('abort', () => {
            resolve(true);
            finish([]);
          });
        });
      },
    });
    const gone = new AbortController();
    const asking = server.ask({ path: '/v1/images', signal: gone.signal });
    await begun;
    gone.abort();
    await expect(asking).rejects.toMatchObject({ name: 'AbortError' });
    expect(await aborted).toBe(true);
  });
});

test('every route of the table has an address', async () => {
  const server = await startTestServer({});
  for (const { method, path, kind } of Object.values(ROUTES)) {
    const filled = `/v1${path.replace('{name}', 'base').replace('{id}', 'op-abcdefghij').replace('{port}', '22')}`;
    const reply = await server.open({ method, path: filled });
    const answer = JSON.parse(await text(reply)) as { code: string };
    // The handlers of this test have none of them; a body or an upgrade may be asked for first.
    expect(answer.code, `${method} ${filled} (${kind})`).toMatch(/^(INTERNAL|REQUEST_INVALID)$/);
  }
});
