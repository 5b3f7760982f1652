import type { IncomingMessage } from 'node:http';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { describe, expect, test } from 'vitest';
import type { OperationEvent } from '../../../src/contracts/event.ts';
import { AppError } from '../../../src/core/app-error.ts';
import { EventBus } from '../../../src/core/events/event-bus.ts';
import { brief, makeOperationWorld } from '../../support/operation-world.ts';
import { startTestServer } from '../../support/test-server.ts';

const PLAN = { kind: 'vm.start', target: 'otter', stages: ['boot'] } as const;

/** Reads frames as they come, one by one. */
class Reader {
  readonly comments: string[] = [];
  readonly #reply: IncomingMessage;
  readonly #ready: EventSourceMessage[] = [];
  readonly #parser = createParser({
    onEvent: (message) => void this.#ready.push(message),
    onComment: (comment) => void this.comments.push(comment),
  });
  readonly #chunks: AsyncIterator<Buffer>;

  constructor(reply: IncomingMessage) {
    this.#reply = reply;
    this.#chunks = reply[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  /** @returns undefined once the stream is over. */
  async next(): Promise<EventSourceMessage | undefined> {
    while (this.#ready.length === 0) if (!(await this.readChunk())) return undefined;
    return this.#ready.shift();
  }

  async readChunk(): Promise<boolean> {
    const chunk = await this.#chunks.next();
    if (!chunk.done) this.#parser.feed(chunk.value.toString('utf8'));
    return !chunk.done;
  }

  async rest(): Promise<EventSourceMessage[]> {
    const messages: EventSourceMessage[] = [];
    for (let message = await this.next(); message; message = await this.next()) messages.push(message);
    return messages;
  }

  leave(): void {
    this.#reply.destroy();
  }
}

const eventOf = ({ data }: EventSourceMessage): OperationEvent => JSON.parse(data) as OperationEvent;

/** A server in front of a real operation service, that counts the streams still open. */
async function startOperationServer(heartbeatMs?: number) {
  const world = makeOperationWorld();
  const streams = { open: 0, failures: [] as unknown[] };
  const server = await startTestServer(
    {
      operationEvents: ({ params, query }, { signal }) => {
        const events = world.service.events(params.id, query.after ?? 0, signal);
        return counted(events, streams);
      },
    },
    heartbeatMs === undefined ? {} : { heartbeatMs },
  );
  const listen = async (id: string, headers: Record<string, string> = {}, query = ''): Promise<Reader> =>
    new Reader(await server.open({ path: `/v1/operations/${id}/events${query}`, headers }));
  return { ...world, server, streams, listen };
}

async function* counted<T>(events: AsyncIterable<T>, streams: { open: number }): AsyncGenerator<T, void> {
  streams.open += 1;
  try {
    yield* events;
  } finally {
    streams.open -= 1;
  }
}

function gate(): { readonly passed: Promise<void>; readonly open: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { passed: promise, open: resolve };
}

describe('the stream of an operation', () => {
  test('has number, type and content of every event, as they happen, and is over after the end', async () => {
    const { service, listen } = await startOperationServer();
    const goOn = gate();
    const { id } = service.start(PLAN, ({ stage }) =>
      stage('boot', async ({ log }) => {
        log('first\r\ttext: "ünïcödé" \u2028 data: x');
        await goOn.passed;
      }),
    );
    const reader = await listen(id);
    const early = [await reader.next(), await reader.next(), await reader.next()];
    expect(early.map((message) => message && [message.id, message.event, brief(eventOf(message))])).toEqual([
      ['1', 'stage', 'stage boot pending'],
      ['2', 'stage', 'stage boot running'],
      ['3', 'log', 'log boot first\r\ttext: "ünïcödé" \u2028 data: x'],
    ]);
    goOn.open();
    expect((await reader.rest()).map((message) => [message.id, brief(eventOf(message))])).toEqual([
      ['4', 'stage boot succeeded'],
      ['5', 'end succeeded'],
    ]);
  });

  test('tells at once that it is there, before anything happens', async () => {
    const { service, server } = await startOperationServer();
    const goOn = gate();
    const { id } = service.start({ ...PLAN, stages: [] }, () => goOn.passed);
    const reply = await server.open({ path: `/v1/operations/${id}/events` });
    expect(reply.statusCode).toBe(200);
    expect(reply.headers).toMatchObject({ 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
    const reader = new Reader(reply);
    await reader.readChunk();
    expect(reader.comments).toEqual(['connected']);
    goOn.open();
    await service.wait(id);
  });

  test.each([
    ['the header', { 'last-event-id': '3' }, ''],
    ['the query', {}, '?after=3'],
    ['the header where both are given: it is the newer', { 'last-event-id': '3' }, '?after=1'],
  ])('is resumed by %s', async (_, headers, query) => {
    const { service, listen } = await startOperationServer();
    const { id } = service.start(PLAN, ({ stage }) => stage('boot', () => Promise.resolve()));
    await service.wait(id);
    const messages = await (await listen(id, headers, query)).rest();
    expect(messages.map((message) => message.id)).toEqual(['4']);
  });

  test('left and resumed again and again by a client that dies, gives every event once', async () => {
    const { service, listen, streams } = await startOperationServer();
    const goOn = gate();
    const { id } = service.start(PLAN, ({ stage }) =>
      stage('boot', async ({ log }) => {
        for (let line = 0; line < 2000; line += 1) {
          log(`line ${line}`);
          if (line === 1000) await goOn.passed;
          if (line % 50 === 0) await new Promise(setImmediate);
        }
      }),
    );
    const ids: number[] = [];
    let isOver = false;
    while (!isOver) {
      const reader = await listen(id, { 'last-event-id': String(ids.at(-1) ?? 0) });
      for (let count = 0; count < 150 && !isOver; count += 1) {
        const message = await reader.next();
        if (!message) break;
        ids.push(Number(message.id));
        isOver = message.event === 'end';
      }
      reader.leave();
      if (ids.length > 500) goOn.open();
    }
    expect(ids).toEqual(Array.from({ length: 2004 }, (_, index) => index + 1));
    await expect.poll(() => streams.open).toBe(0);
  });

  test('ends the iteration at once when the client goes away', async () => {
    const { service, listen, streams } = await startOperationServer();
    const goOn = gate();
    const { id } = service.start(PLAN, () => goOn.passed);
    const reader = await listen(id);
    await reader.next();
    expect(streams.open).toBe(1);
    reader.leave();
    await expect.poll(() => streams.open).toBe(0);
    goOn.open();
    await service.wait(id);
  });

  test('a client that does not read holds nothing up, and misses nothing once it does', async () => {
    const { service, server, listen, streams } = await startOperationServer();
    const goOn = gate();
    const lines = 20_000;
    const { id } = service.start(PLAN, ({ stage }) =>
      stage('boot', async ({ log }) => {
        await goOn.passed;
        for (let line = 0; line < lines; line += 1) log('x'.repeat(200));
      }),
    );
    const sleeper = await server.open({ path: `/v1/operations/${id}/events` });
    const quick = await listen(id);
    goOn.open();
    expect(await service.wait(id)).toMatchObject({ state: 'succeeded' });
    expect(await quick.rest()).toHaveLength(lines + 4);
    // All of it is far more than a socket holds: the stream is where the client left it.
    expect(streams.open).toBe(1);
    expect(await new Reader(sleeper).rest()).toHaveLength(lines + 4);
    expect(streams.open).toBe(0);
  });

  test('fifty at once, each whole and in order', async () => {
    const { service, listen, streams } = await startOperationServer();
    const goOn = gate();
    const { id } = service.start(PLAN, ({ stage }) =>
      stage('boot', async ({ log }) => {
        await goOn.passed;
        for (let line = 0; line < 1000; line += 1) {
          log(`line ${line}`);
          if (line % 100 === 0) await new Promise(setImmediate);
        }
      }),
    );
    const readers = await Promise.all(Array.from({ length: 50 }, () => listen(id)));
    await expect.poll(() => streams.open).toBe(50);
    goOn.open();
    const expected = Array.from({ length: 1004 }, (_, index) => String(index + 1));
    for (const messages of await Promise.all(readers.map((reader) => reader.rest()))) {
      expect(messages.map((message) => message.id)).toEqual(expected);
    }
    expect(streams.open).toBe(0);
  });

  test('has a heartbeat while it is open and silent', async () => {
    const { service, listen } = await startOperationServer(20);
    const goOn = gate();
    const { id } = service.start({ ...PLAN, stages: [] }, () => goOn.passed);
    const reader = await listen(id);
    while (!reader.comments.includes('alive')) await reader.readChunk();
    goOn.open();
    expect((await reader.rest()).map((message) => message.event)).toEqual(['end']);
  });

  test('of an operation that is not there is an error, and no stream', async () => {
    const { server } = await startOperationServer();
    expect(await server.ask({ path: '/v1/operations/op-none/events' })).toMatchObject({
      status: 404,
      headers: { 'content-type': 'application/json' },
    });
    const bad = await server.ask({ path: '/v1/operations/op-none/events', headers: { 'last-event-id': 'soon' } });
    expect(JSON.parse(bad.text)).toMatchObject({ code: 'REQUEST_INVALID' });
  });

  test('is ended when the daemon stops, without its end, so that the client comes back', async () => {
    const { service, server, listen, streams } = await startOperationServer();
    const goOn = gate();
    const { id } = service.start(PLAN, () => goOn.passed);
    const reader = await listen(id);
    await reader.next();
    const startedAt = performance.now();
    await server.running.close();
    expect(performance.now() - startedAt).toBeLessThan(1500);
    expect(await reader.rest()).toEqual([]);
    expect(streams.open).toBe(0);
    goOn.open();
    await service.wait(id);
  });
});

describe('a stream that fails in the middle', () => {
  test('says why in a comment and ends; the log has it', async () => {
    const at = '2026-01-01T00:00:00.000Z';
    const server = await startTestServer({
      events: async function* () {
        yield { sequence: 7, event: { at, resource: 'vm', name: 'otter', change: 'created' } };
        await Promise.resolve();
        throw new AppError('EVENTS_MISSED', 'too\n\nslow');
      },
    });
    const reader = new Reader(await server.open({ path: '/v1/events' }));
    expect(await reader.rest()).toEqual([
      { id: '7', event: 'change', data: JSON.stringify({ at, resource: 'vm', name: 'otter', change: 'created' }) },
    ]);
    expect(reader.comments).toEqual(['connected', 'ended by EVENTS_MISSED: too slow']);
    expect(server.logged()).toContainEqual(expect.objectContaining({ code: 'EVENTS_MISSED' }));
  });
});

test('the stream of everything: from now on, or after what the client knows', async () => {
  const bus = new EventBus(() => new Date('2026-01-01T00:00:00.000Z'));
  const server = await startTestServer({ events: ({ query }, { signal }) => bus.listen(query.after, signal) });
  const first = new Reader(await server.open({ path: '/v1/events' }));
  await first.readChunk();
  bus.publish({ resource: 'image', name: 'dev', change: 'created' });
  bus.publish({ resource: 'image', name: 'dev', change: 'deleted' });
  const [created, deleted] = [await first.next(), await first.next()];
  expect(JSON.parse(deleted?.data ?? '')).toMatchObject({ resource: 'image', name: 'dev', change: 'deleted' });
  first.leave();
  const again = new Reader(await server.open({ path: '/v1/events', headers: { 'last-event-id': created?.id ?? '' } }));
  expect(await again.next()).toEqual(deleted);
});
