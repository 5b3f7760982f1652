/**
 * A million frames of a hostile guest. The same for the same seed: AGENT_FUZZ_SEED=7 npx vitest run ... runs another.
 * Time stands still and moves by the test's hand, since a guest is read at a bounded pace.
 */
import { getEventListeners } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createAgentConnector } from '../../../../src/adapters/agent/agent-connector.ts';
import { AGENT_ERROR_CODES, MAX_FRAME_BYTES } from '../../../../src/contracts/agent.ts';
import { AGENT_METHODS, agentMessageSchema, type AgentMethod } from '../../../../src/contracts/agent-messages.ts';
import { AppError } from '../../../../src/core/app-error.ts';
import type { AgentSession } from '../../../../src/core/vms/agent.ts';
import { FakeAgent } from '../../../fakes/agent/fake-agent.ts';
import { FAKE_STATS } from '../../../fakes/agent/fake-agent-plan.ts';
import { readAgentFixture } from '../../../support/agent-fixture.ts';
import { stopTime, welcomeTo } from '../../../support/agent-peer.ts';
import { HARMFUL, HARMLESS, type HostileFrames, makeHostileFrames, mutate } from '../../../support/hostile-frames.ts';
import { HostileStream } from '../../../support/hostile-stream.ts';
import { usedMemoryBytes } from '../../../support/memory.ts';
import { SeededRandom } from '../../../support/seeded-random.ts';

const SEED = Number(process.env['AGENT_FUZZ_SEED'] ?? 1);
const FRAMES = 1_000_000;
/** Turns of the event loop in which a round must come to its end. */
const MAX_TURNS = 5_000;
const MAX_GROWTH_BYTES = 8 * 2 ** 20;
const MAX_TIMEOUT_MS = 3_000;
/** At the pace at which a guest is read these take longer than any deadline. */
const SILENT_LINES = 8_000;
const NEWLINE = Buffer.from('\n');
/** Stage events of this time and later are ours to count; no mutation makes one. */
const FIRST_MARK = 600_000_000_000_000;
/** Every way a session may end, and each is met. */
const ENDS = ['100 broken', 'closed by us', 'ended', 'no session', 'overlong', 'reset', 'started anew', 'unanswered'];
const PARAMETERLESS = ['health', 'ports', 'stats', 'sync', 'powerOff', 'bootId'] as const satisfies AgentMethod[];

interface Tally {
  frames: number;
  sessions: number;
  greetingsFailed: number;
  requests: number;
  answered: number;
  events: number;
  readonly ends: Map<string, number>;
}

interface World {
  readonly random: SeededRandom;
  readonly frames: HostileFrames;
  /** JSON of what a sound agent answers, by method. */
  readonly results: Readonly<Record<string, readonly string[]>>;
  readonly signal: AbortSignal;
  readonly tally: Tally;
}

test(`a million frames of a hostile guest do nothing to us (seed ${SEED})`, { timeout: 300_000 }, async () => {
  stopTime();
  const faults = collectFaults();
  const random = new SeededRandom(SEED);
  const { results } = readAgentFixture(1);
  const world: World = {
    random,
    frames: makeHostileFrames(random),
    results: Object.fromEntries(
      Object.entries(results).map(([method, samples]) => [method, samples.map((sample) => JSON.stringify(sample))]),
    ),
    signal: new AbortController().signal,
    tally: { frames: 0, sessions: 0, greetingsFailed: 0, requests: 0, answered: 0, events: 0, ends: new Map() },
  };
  const { tally } = world;
  const prototypeKeys = Reflect.ownKeys(Object.prototype).length;
  const startedAt = process.cpuUsage();
  let usedAtFirst = 0;
  for (let round = 0; tally.frames < FRAMES; round += 1) {
    try {
      await runRound(world);
    } catch (error) {
      throw new Error(`round ${round} of seed ${SEED}`, { cause: error });
    }
    if (round % 200 === 0) await expectHealthySession();
    if (usedAtFirst === 0 && tally.frames > FRAMES / 10) usedAtFirst = await usedMemoryBytes();
  }
  await expectHealthySession();
  const { user, system } = process.cpuUsage(startedAt);
  if (process.env['AGENT_FUZZ_SEED']) console.log({ seed: SEED, ...tally, cpuSeconds: (user + system) / 1e6 });
  expect(tally.frames).toBeGreaterThanOrEqual(FRAMES);
  // Each way was really taken.
  expect(tally.sessions).toBeGreaterThan(500);
  expect(tally.greetingsFailed).toBeGreaterThan(100);
  expect(tally.answered).toBeGreaterThan(1_000);
  expect(tally.events).toBeGreaterThan(50_000);
  expect([...tally.ends.keys()].sort()).toEqual(ENDS);
  expect((await usedMemoryBytes()) - usedAtFirst).toBeLessThan(MAX_GROWTH_BYTES);
  expect(getEventListeners(world.signal, 'abort')).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
  expect(Reflect.ownKeys(Object.prototype)).toHaveLength(prototypeKeys);
  expect(faults).toEqual([]);
});

test('one session of 200,000 events holds no more at its end than at its beginning', async () => {
  stopTime();
  const stream = new HostileStream();
  const text = `${JSON.stringify({ type: 'event', event: 'stage', stage: 'ssh', sinceBootMs: 1 })}\n`;
  let left = 2_000;
  stream.perform(
    (function* flood() {
      yield Buffer.from(`${JSON.stringify(welcomeTo(stream.session))}\n`);
      for (; left > 0; left -= 1) yield Buffer.from(text.repeat(100));
      return 'stall' as const;
    })(),
  );
  const session = await createAgentConnector().connect(stream, new AbortController().signal);
  const { promise: allHeard, resolve } = Promise.withResolvers<void>();
  let events = 0;
  session.subscribe(() => {
    events += 1;
    if (events === 200_000) resolve();
  });
  let usedAtFirst = 0;
  while (!stream.isStalled) {
    await nextTurn();
    vi.advanceTimersByTime(1000);
    if (usedAtFirst === 0 && left < 1_800) usedAtFirst = await usedMemoryBytes();
  }
  expect((await usedMemoryBytes()) - usedAtFirst).toBeLessThan(MAX_GROWTH_BYTES);
  await settle(allHeard, () => undefined);
  session.close();
});

/** What nobody caught, and what Node warns of. */
function collectFaults(): unknown[] {
  const faults: unknown[] = [];
  const note = (fault: unknown): void => void faults.push(fault);
  for (const name of ['unhandledRejection', 'uncaughtException', 'warning']) {
    process.on(name, note);
    onTestFinished(() => void process.off(name, note));
  }
  return faults;
}

async function expectHealthySession(): Promise<void> {
  const agent = new FakeAgent({ stages: ['agent', 'network'] });
  const session = await createAgentConnector().connect(agent.connect(), new AbortController().signal);
  const events: string[] = [];
  session.subscribe(({ event }) => events.push(event));
  expect(await session.request('stats', {}, { timeoutMs: 10_000 })).toEqual(FAKE_STATS);
  agent.reach('ssh');
  await session.request('sync', {}, { timeoutMs: 10_000 });
  expect(events).toEqual(['stage', 'ready']);
  expect(agent.violations).toEqual([]);
  session.close();
  agent.close();
}

/** One stream from its greeting to its end. */
async function runRound({ random, frames, results, signal, tally }: World): Promise<void> {
  const stream = new HostileStream();
  const marks: number[] = [];
  const isSilent = random.chance(0.03);
  stream.perform(cutAtRandom(random, hostileText({ random, frames, results, stream, marks, isSilent })));
  const abort = new AbortController();
  const connecting = createAgentConnector().connect(stream, abort.signal);
  const greeted = outcomeOf(connecting);
  await settle(greeted, () => stream.isStalled && abort.abort(new AppError('BOOT_TIMEOUT', 'enough')));
  const session = await greeted;
  if (session instanceof AppError) {
    expect(['AGENT_FAILED', 'AGENT_UNREACHABLE', 'BOOT_TIMEOUT']).toContain(session.code);
    tally.greetingsFailed += 1;
  } else {
    await runSession(session as AgentSession, { random, stream, marks, isSilent, signal, tally });
  }
  expect(stream.destroyed).toBe(true);
  tally.frames += stream.readFrames;
}

async function runSession(
  session: AgentSession,
  {
    random,
    stream,
    marks,
    isSilent,
    signal,
    tally,
  }: Omit<Scene, 'frames' | 'results'> & Pick<World, 'signal' | 'tally'>,
): Promise<void> {
  tally.sessions += 1;
  const heard: number[] = [];
  session.subscribe((event) => {
    expect(agentMessageSchema.safeParse(event).data).toEqual(event);
    tally.events += 1;
    if (event.event === 'stage' && event.sinceBootMs >= FIRST_MARK) heard.push(event.sinceBootMs);
  });
  const requests = Array.from({ length: isSilent ? 400 : random.below(20) }, async () => {
    const method = random.pick(PARAMETERLESS);
    const outcome = await outcomeOf(
      session.request(method, {}, { timeoutMs: 1 + random.below(MAX_TIMEOUT_MS), signal }),
    );
    tally.requests += 1;
    if (outcome instanceof AppError) expect(['AGENT_FAILED', 'AGENT_UNREACHABLE']).toContain(outcome.code);
    else expect(AGENT_METHODS[method].result.parse(outcome)).toEqual(outcome);
    if (!(outcome instanceof AppError)) tally.answered += 1;
  });
  await settle(session.closed, () => stream.isStalled && session.close());
  // Whoever still waits learns of the end at once, not at his deadline.
  await settle(Promise.all(requests), () => undefined, 0);
  const reason = await session.closed;
  // Everything sound was told, in order; all of it where the agent was heard out.
  expect(heard).toEqual(marks.slice(0, heard.length));
  const end = endOf(reason);
  if (end === 'ended') expect(heard).toHaveLength(marks.length);
  tally.ends.set(end, (tally.ends.get(end) ?? 0) + 1);
}

function endOf(reason: string): string {
  if (reason.includes('frames that break')) return '100 broken';
  if (reason.includes('a line of more than')) return 'overlong';
  if (reason.includes('without an answer')) return 'unanswered';
  if (reason.includes('forgotten us')) return 'no session';
  if (reason.includes('let go')) return 'closed by us';
  if (reason.includes('started anew')) return 'started anew';
  if (reason.includes('reset')) return 'reset';
  if (reason === 'The stream to the agent ended.') return 'ended';
  throw new Error(`no such end: ${reason}`);
}

/** Lets turns and time pass until `work` is settled. @throws where it hangs. */
async function settle(work: Promise<unknown>, eachTurn: () => unknown, turnMs = 1000): Promise<void> {
  const over = new AbortController();
  const end = (): void => over.abort();
  work.then(end, end);
  for (let turn = 0; turn < MAX_TURNS; turn += 1) {
    await nextTurn();
    if (over.signal.aborted) return;
    vi.advanceTimersByTime(turnMs);
    eachTurn();
  }
  throw new Error(`not settled after ${MAX_TURNS} turns`);
}

function outcomeOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    (value) => value,
    (error: unknown) => error,
  );
}

interface Scene extends Pick<World, 'random' | 'frames' | 'results'> {
  readonly stream: HostileStream;
  /** Of every sound event that was sent. */
  readonly marks: number[];
  /** Many requests, and nothing but empty lines until their deadlines have passed. */
  readonly isSilent: boolean;
}

/** All that one hostile agent says, line by line. */
function* hostileText(scene: Scene): Generator<Buffer, 'end' | 'break' | 'stall', undefined> {
  const { random, frames, stream } = scene;
  const anyFrame = (): Buffer => random.pick(frames[random.pick([...HARMFUL, ...HARMLESS])]);
  const preludeLength = random.chance(0.02) ? 20_000 : random.below(200);
  for (let count = 0; count < preludeLength; count += 1) {
    yield* line(random.chance(0.001) ? random.pick(frames.overlong) : anyFrame());
  }
  if (random.chance(0.01)) while (true) yield Buffer.alloc(MAX_FRAME_BYTES, 0x61);
  const way = random.next();
  if (way < 0.05) return 'stall';
  if (way < 0.08) yield* line(JSON.stringify({ type: 'refused', session: stream.session, oldest: 2, newest: 9 }));
  if (way < 0.11)
    yield* line(JSON.stringify({ ...welcomeTo(stream.session), protocol: random.pick([0, 2, 1e300, '1']) }));
  if (way < 0.14) return random.pick(['end', 'break']);
  const welcome = Buffer.from(JSON.stringify(welcomeTo(stream.session)));
  yield* line(way < 0.2 ? mutate(random, welcome) : welcome);
  if (scene.isSilent) for (let count = 0; count < SILENT_LINES; count += 1) yield NEWLINE;
  const harm = random.pick([0, 0, 0.01, 0.1, 0.5, 1]);
  for (let count = 50 + random.below(1_500); count > 0; count -= 1) yield* sessionLine(scene, harm);
  return random.pick(['end', 'end', 'break', 'stall']);
}

function* sessionLine({ random, frames, results, stream, marks }: Scene, harm: number): Generator<Buffer> {
  const lot = random.next();
  if (lot < 0.01 * harm) {
    yield* line(random.pick(frames[random.pick(['overlong', 'many values'] as const)]));
  } else if (lot < harm) {
    yield* line(random.pick(frames[random.pick(HARMFUL)]));
  } else if (lot < harm + (1 - harm) * 0.2) {
    const mark = FIRST_MARK + marks.length;
    marks.push(mark);
    yield* line(JSON.stringify({ type: 'event', event: 'stage', stage: 'network', sinceBootMs: mark }));
  } else if (stream.requests.length > 0 && lot < harm + (1 - harm) * 0.4) {
    // A harmless agent answers each request once; the others answer some twice, and some never.
    const index = random.below(stream.requests.length);
    const [request] = harm > 0 ? [stream.requests[index]] : stream.requests.splice(index, 1);
    const method = random.chance(0.2) ? random.pick(Object.keys(results)) : (request?.method ?? '');
    const answer = random.chance(0.1)
      ? `"type":"error","code":"${random.pick(AGENT_ERROR_CODES)}","message":"\\u001b[2J"`
      : `"type":"reply","result":${random.pick(results[method] ?? [])}`;
    yield* line(`{"id":${request?.id},${answer}}`);
  } else {
    yield* line(random.pick(frames[random.pick(HARMLESS)]));
  }
}

function* line(text: string | Buffer): Generator<Buffer> {
  yield Buffer.from(text);
  yield NEWLINE;
}

/** The same bytes in pieces of any size: often many lines, now and then a single byte. */
function* cutAtRandom(
  random: SeededRandom,
  parts: ReturnType<typeof hostileText>,
): Generator<Buffer, 'end' | 'break' | 'stall', undefined> {
  let held: Buffer[] = [];
  let heldBytes = 0;
  let wantedBytes = 1;
  for (;;) {
    const part = parts.next();
    if (!part.done) held.push(part.value);
    if (!part.done) heldBytes += part.value.length;
    if (!part.done && heldBytes < wantedBytes) continue;
    let rest = Buffer.concat(held);
    for (; rest.length >= wantedBytes; wantedBytes = 1 + random.below(random.pick([3, 200, 4_000, 40_000]))) {
      yield rest.subarray(0, wantedBytes);
      rest = rest.subarray(wantedBytes);
    }
    if (part.done && rest.length > 0) yield rest;
    if (part.done) return part.value;
    held = [rest];
    heldBytes = rest.length;
  }
}
