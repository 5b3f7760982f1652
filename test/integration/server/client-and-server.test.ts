import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { FileOperationJournal } from '../../../src/adapters/journal/operation-journal.ts';
import { openDatabase } from '../../../src/adapters/store/open-database.ts';
import { SqliteOperationRepository } from '../../../src/adapters/store/operation-repository.ts';
import { ApiClient } from '../../../src/client/api-client.ts';
import { EventBus } from '../../../src/core/events/event-bus.ts';
import { OperationService } from '../../../src/core/operations/operation-service.ts';
import type { Handlers } from '../../../src/daemon/route-handlers.ts';
import { startServer } from '../../../src/daemon/server.ts';
import { collect } from '../../support/collect.ts';
import { brief } from '../../support/operation-world.ts';
import { makeTempDir } from '../../support/temp-dir.ts';

/** Client, server, operations, SQLite and journal, all real: what an operation is from end to end. */
async function makeDaemon() {
  const dir = await makeTempDir();
  const faults: unknown[] = [];
  const now = (): Date => new Date();
  const database = openDatabase(join(dir, 'state.db'));
  onTestFinished(() => database.close());
  const operations = new OperationService({
    repository: new SqliteOperationRepository(database, (problem) => faults.push(problem)),
    journal: new FileOperationJournal(join(dir, 'operations'), (problem) => faults.push(problem)),
    bus: new EventBus(now),
    now,
    onFault: (error) => faults.push(error),
  });
  const socketPath = join(dir, 'run', 'banger.sock');
  const handlers = {
    operationShow: ({ params }) => operations.get(params.id),
    operationList: () => [...operations.list()],
    operationLog: ({ params }) => operations.log(params.id),
    operationCancel: ({ params }) => operations.cancel(params.id),
    operationEvents: ({ params, query }, { signal }) => operations.events(params.id, query.after ?? 0, signal),
  } satisfies Partial<Handlers>;
  const start = (more: Partial<Handlers> = {}) =>
    startServer({
      socketPath,
      handlers: { ...handlers, ...more } as Handlers,
      log: pino({ level: 'silent' }),
      logPath: join(dir, 'log'),
      buildId: 'bundle-0123456789ab',
      uid: process.getuid?.() ?? 0,
      checkReplies: true,
    });
  const client = new ApiClient({ socketPath, sameBuild: false });
  return { dir, operations, faults, start, client };
}

test('an operation is followed by its client over a restart of the server: every event once, then log and list', async () => {
  const { operations, faults, start, client } = await makeDaemon();
  let server = await start();
  const plan = { kind: 'image.build', target: 'dev', stages: ['boot', 'seal'] } as const;
  const { promise: resumed, resolve: goOn } = Promise.withResolvers<void>();
  const { id } = operations.start(plan, async ({ stage }) => {
    await stage('boot', async ({ log }) => {
      for (let line = 0; line < 700; line += 1) log(`line ${line}`);
      await resumed;
      for (let line = 700; line < 1400; line += 1) log(`line ${line}`);
    });
    await stage('seal', () => Promise.resolve());
  });
  const seen: string[] = [];
  for await (const event of client.operationEvents(id)) {
    seen.push(brief(event));
    if (seen.length !== 300) continue;
    await server.close();
    server = await start();
    goOn();
  }
  await server.close();
  const lines = Array.from({ length: 1400 }, (_, line) => `log boot line ${line}`);
  expect(seen).toEqual([
    'stage boot pending',
    'stage seal pending',
    'stage boot running',
    ...lines,
    'stage boot succeeded',
    'stage seal running',
    'stage seal succeeded',
    'end succeeded',
  ]);
  server = await start();
  expect((await client.operationLog(id)).split('\n')).toHaveLength(1401);
  const listed = await client.call('operationList', {});
  expect(listed).toEqual([await client.call('operationShow', { params: { id } })]);
  await server.close();
  expect(faults).toEqual([]);
});

test('cancel, and what is refused, come back as they were meant', async () => {
  const { operations, start, client } = await makeDaemon();
  const server = await start();
  const plan = { kind: 'vm.start', target: 'otter', stages: ['boot'] } as const;
  const { id } = operations.start(plan, ({ stage, signal }) =>
    stage('boot', async () => {
      if (!signal.aborted) await once(signal, 'abort');
      throw signal.reason;
    }),
  );
  expect(await client.call('operationCancel', { params: { id } })).toMatchObject({ state: 'running' });
  expect((await collect(client.operationEvents(id))).map(brief).at(-1)).toBe('end cancelled');
  await expect(client.call('operationCancel', { params: { id } })).rejects.toMatchObject({ code: 'OPERATION_ENDED' });
  await expect(client.operationLog('op-none')).rejects.toMatchObject({ code: 'OPERATION_NOT_FOUND' });
  await expect(client.call('operationShow', { params: { id: '../x' } })).rejects.toMatchObject({
    code: 'REQUEST_INVALID',
  });
  await server.close();
});

test('a tunnel through the client', async () => {
  const { dir, start, client } = await makeDaemon();
  const path = join(dir, 'guest.sock');
  const guest = createServer({ allowHalfOpen: true }, (socket) => {
    void text(socket).then((question) => socket.end(`you asked: ${question}`));
  }).listen(path);
  await once(guest, 'listening');
  onTestFinished(() => void guest.close());
  const server = await start({
    vmTunnel: async () => {
      const socket = connect({ path, allowHalfOpen: true });
      await once(socket, 'connect');
      return socket;
    },
  });
  const tunnel = await client.tunnel('otter', 22);
  tunnel.end('why?');
  expect(await text(tunnel)).toBe('you asked: why?');
  await server.close();
});
