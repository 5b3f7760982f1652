import { expect, test } from 'vitest';
import { EventBus, type NumberedResourceEvent } from '../../../../src/core/events/event-bus.ts';

const START = Date.parse('2026-01-01T00:00:00.000Z');

function makeBus(startMs = START): EventBus {
  return new EventBus(() => new Date(startMs));
}

/** Takes `count` events, and lets go. */
async function take(bus: EventBus, after: number | undefined, count: number): Promise<NumberedResourceEvent[]> {
  const gone = new AbortController();
  const taken: NumberedResourceEvent[] = [];
  for await (const entry of bus.listen(after, gone.signal)) {
    taken.push(entry);
    if (taken.length === count) gone.abort();
  }
  return taken;
}

const namesOf = (entries: readonly NumberedResourceEvent[]): string[] => entries.map(({ event }) => event.name);

function publish(bus: EventBus, ...names: readonly string[]): void {
  for (const name of names) bus.publish({ resource: 'vm', name, change: 'created' });
}

test('a listener hears what happens from the moment it asks, even before it begins to read', async () => {
  const bus = makeBus();
  publish(bus, 'before');
  const gone = new AbortController();
  const events = bus.listen(undefined, gone.signal)[Symbol.asyncIterator]();
  publish(bus, 'after');
  expect((await events.next()).value).toEqual({
    sequence: START * 1000 + 2,
    event: { at: '2026-01-01T00:00:00.000Z', resource: 'vm', name: 'after', change: 'created' },
  });
  const next = events.next();
  publish(bus, 'later');
  expect((await next).value).toMatchObject({ event: { name: 'later' } });
  const last = events.next();
  gone.abort();
  expect(await last).toEqual({ done: true, value: undefined });
});

test('one that comes back hears what came after the last it knows', async () => {
  const bus = makeBus();
  publish(bus, 'a', 'b', 'c');
  const [first] = await take(bus, START * 1000, 1);
  expect(namesOf(await take(bus, first?.sequence, 2))).toEqual(['b', 'c']);
});

test('one that was away for long hears the oldest that is held, and the gap shows in the numbers', async () => {
  const bus = makeBus();
  for (let index = 1; index <= 5000; index += 1) publish(bus, `vm-${index}`);
  const [oldest] = await take(bus, START * 1000 + 1, 1);
  expect(oldest?.sequence).toBeGreaterThan(START * 1000 + 2);
  expect(oldest?.sequence).toBeLessThanOrEqual(START * 1000 + 4001);
});

test('one that knows a number of the daemon before hears everything of the new daemon', async () => {
  const old = makeBus();
  publish(old, 'old');
  const [known] = await take(old, START * 1000, 1);
  const bus = makeBus(START + 1000);
  publish(bus, 'a', 'b');
  expect(namesOf(await take(bus, known?.sequence, 2))).toEqual(['a', 'b']);
});

test('one that is too slow is told so, and gets no stream with holes', async () => {
  const bus = makeBus();
  const events = bus.listen(undefined, new AbortController().signal)[Symbol.asyncIterator]();
  publish(bus, 'first');
  await events.next();
  for (let index = 0; index < 5000; index += 1) publish(bus, 'more');
  await expect(events.next()).rejects.toMatchObject({ code: 'EVENTS_MISSED' });
});
