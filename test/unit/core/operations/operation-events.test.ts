import { describe, expect, test } from 'vitest';
import type { NumberedEvent } from '../../../../src/core/operations/ports.ts';
import { collect } from '../../../support/collect.ts';
import { brief, makeOperationWorld } from '../../../support/operation-world.ts';

const PLAN = { kind: 'vm.start', target: 'otter', stages: ['boot', 'ready'] } as const;
const forever = new AbortController().signal;

/** No gap, no duplicate, from `first` on. */
function expectWhole(entries: readonly NumberedEvent[], first: number): void {
  expect(entries.map(({ sequence }) => sequence)).toEqual(entries.map((_, index) => first + index));
}

describe('the events of an operation', () => {
  test('are the plan, each stage with its lines, and the end', async () => {
    const { service } = makeOperationWorld();
    const { id } = service.start(PLAN, ({ stage }) =>
      stage('boot', async ({ log }) => {
        log('one\ntwo');
        log('three');
      }),
    );
    const live = await collect(service.events(id, 0, forever));
    expectWhole(live, 1);
    expect(live.map(({ event }) => brief(event))).toEqual([
      'stage boot pending',
      'stage ready pending',
      'stage boot running',
      'log boot one',
      'log boot two',
      'log boot three',
      'stage boot succeeded',
      'stage ready skipped',
      'end succeeded',
    ]);
    expect(await service.log(id)).toBe('[boot] one\n[boot] two\n[boot] three\n');
    expect(await collect(service.events(id, 0, forever))).toEqual(live);
    expect(await collect(service.events(id, 6, forever))).toEqual(live.slice(6));
  });

  test('a listener that comes after the last event is told the end all the same', async () => {
    const { service, journal } = makeOperationWorld();
    const { id } = service.start(PLAN, () => Promise.resolve());
    await service.wait(id);
    const past = await collect(service.events(id, 1000, forever));
    expect(past.map(({ event }) => brief(event))).toEqual(['end succeeded']);
    journal.entries.clear();
    const lost = await collect(service.events(id, 0, forever));
    expect(lost.map(({ event }) => brief(event))).toEqual(['end succeeded']);
  });

  test.each([0, 1, 499, 500, 501, 999, 1000, 2500])(
    'resumed after %i of thousands, while they come: no gap, no duplicate',
    async (after) => {
      const { service } = makeOperationWorld();
      const { promise: half, resolve: atHalf } = Promise.withResolvers<void>();
      const { promise: listening, resolve: goOn } = Promise.withResolvers<void>();
      const { id } = service.start(PLAN, ({ stage }) =>
        stage('boot', async ({ log }) => {
          for (let line = 0; line < 3000; line += 1) {
            log(`line ${line}`);
            // Listeners get their turn now and then.
            if (line % 100 === 0) await Promise.resolve();
            if (line === 1500) {
              atHalf();
              await listening;
            }
          }
        }),
      );
      await half;
      const collected = collect(service.events(id, after, forever));
      setImmediate(goOn);
      const entries = await collected;
      expectWhole(entries, after + 1);
      expect(entries.at(-1)).toMatchObject({ sequence: 3006, event: { type: 'end' } });
    },
  );

  test('a listener that takes one event and then a long rest misses nothing and holds nothing up', async () => {
    const { service } = makeOperationWorld();
    const { promise: first, resolve: firstTaken } = Promise.withResolvers<void>();
    const { id } = service.start(PLAN, ({ stage }) =>
      stage('boot', async ({ log }) => {
        log('line');
        await first;
        for (let line = 0; line < 5000; line += 1) log('line');
      }),
    );
    const iterator = service.events(id, 0, forever)[Symbol.asyncIterator]();
    const entries: NumberedEvent[] = [];
    const take = async (): Promise<boolean> => {
      const next = await iterator.next();
      if (!next.done) entries.push(next.value);
      return !next.done;
    };
    await take();
    firstTaken();
    await service.wait(id);
    while (await take());
    expectWhole(entries, 1);
    expect(entries).toHaveLength(5007);
  });

  test('where the journal of a running one is lost, a listener goes on with what is held', async () => {
    const { service, journal } = makeOperationWorld();
    const { promise: listened, resolve: end } = Promise.withResolvers<void>();
    const { promise: written, resolve: afterLines } = Promise.withResolvers<void>();
    const { id } = service.start(PLAN, ({ stage }) =>
      stage('boot', async ({ log }) => {
        for (let line = 0; line < 3000; line += 1) log('line');
        afterLines();
        await listened;
      }),
    );
    await written;
    journal.entries.clear();
    const entries: NumberedEvent[] = [];
    for await (const entry of service.events(id, 0, forever)) {
      entries.push(entry);
      end();
    }
    expect(entries.length).toBeGreaterThan(400);
    expect(entries.at(-1)?.event.type).toBe('end');
  });

  test('stop at once when the listener goes away, and the operation goes on', async () => {
    const { service } = makeOperationWorld();
    const { promise, resolve } = Promise.withResolvers<void>();
    const { id } = service.start(PLAN, () => promise);
    const gone = new AbortController();
    const listening = collect(service.events(id, 0, gone.signal));
    await Promise.resolve();
    gone.abort();
    expect((await listening).length).toBeLessThanOrEqual(2);
    expect(service.get(id).state).toBe('running');
    resolve();
    await service.wait(id);
  });
});

describe('what is bounded', () => {
  test('progress: at most one each quarter of a second for a stage, but always the last', async () => {
    const { service, clock } = makeOperationWorld();
    const { id } = service.start(PLAN, ({ stage }) =>
      stage('boot', async ({ progress }) => {
        for (let done = 0; done <= 100; done += 1) {
          progress(done, 100);
          progress(done, 100);
          clock.tick(10);
        }
      }),
    );
    const events = await collect(service.events(id, 0, forever));
    const progress = events.map(({ event }) => brief(event)).filter((text) => text.startsWith('progress'));
    expect(progress).toEqual(['0', '25', '50', '75', '100'].map((done) => `progress boot ${done}/100`));
  });

  test('the log: 16 MiB, then one line that says so', async () => {
    const { service } = makeOperationWorld();
    const { id } = service.start(PLAN, ({ stage }) =>
      stage('boot', async ({ log }) => {
        for (let line = 0; line < 20 * 1024; line += 1) log('x'.repeat(1023));
      }),
    );
    await service.wait(id);
    const log = await service.log(id);
    const lines = log.trimEnd().split('\n');
    expect(lines.at(-1)).toBe('[boot] [the log ends here: it has reached its largest size]');
    expect(lines).toHaveLength(16 * 1024);
  });

  test('a line: what is longer than anybody reads is cut and says how much', async () => {
    const { service } = makeOperationWorld();
    const { id } = service.start(PLAN, ({ stage }) => stage('boot', async ({ log }) => log('y'.repeat(10_000))));
    await service.wait(id);
    expect(await service.log(id)).toBe(`[boot] ${'y'.repeat(8192)} [1808 more characters]\n`);
  });

  test('a line that comes after the end is nobody’s', async () => {
    const { service } = makeOperationWorld();
    let late: (() => void) | undefined;
    const { id } = service.start(PLAN, ({ stage }) =>
      stage('boot', async ({ log }) => {
        late = () => log('late');
      }),
    );
    await service.wait(id);
    late?.();
    expect(await service.log(id)).toBe('');
  });
});
