import { getEventListeners } from 'node:events';
import { Duplex } from 'node:stream';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createAgentConnector } from '../../../../src/adapters/agent/agent-connector.ts';
import { AGENT_ERROR_CODES, MAX_FRAME_BYTES, MAX_OPEN_REQUESTS } from '../../../../src/contracts/agent.ts';
import type { AgentEvent, AgentMethod } from '../../../../src/contracts/agent-messages.ts';
import type { AgentSession } from '../../../../src/core/vms/agent.ts';
import { passTime, settled, stopTime, welcomedPeer, welcomeTo } from '../../../support/agent-peer.ts';
import { FakeAgent } from '../../../fakes/agent/fake-agent.ts';
import { FAKE_STATS, type FakeAgentPlan } from '../../../fakes/agent/fake-agent-plan.ts';

const SOON = { timeoutMs: 30_000 };
const STAGE = { type: 'event', event: 'stage', stage: 'ssh', sinceBootMs: 1 } as const;

async function sessionWith(
  plan: FakeAgentPlan,
): Promise<{ readonly agent: FakeAgent; readonly session: AgentSession }> {
  const agent = new FakeAgent(plan);
  onTestFinished(() => agent.close());
  const session = await createAgentConnector().connect(agent.connect(), new AbortController().signal);
  onTestFinished(() => session.close());
  return { agent, session };
}

/** What becomes of it, so that a rejection that comes early is no unhandled one. */
function outcomeOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    (value) => value,
    (error: unknown) => error,
  );
}

function eventsOf(session: AgentSession): AgentEvent[] {
  const events: AgentEvent[] = [];
  session.subscribe((event) => events.push(event));
  return events;
}

describe('a request', () => {
  test('gives what the agent answers', async () => {
    const { agent, session } = await sessionWith({});
    expect(await session.request('stats', {}, SOON)).toEqual(FAKE_STATS);
    expect(await session.request('setHostname', { hostname: 'otter' }, SOON)).toEqual({});
    expect(agent.requests).toEqual([
      { method: 'stats', params: {} },
      { method: 'setHostname', params: { hostname: 'otter' } },
    ]);
    expect(agent.violations).toEqual([]);
  });

  test('finds its own answer, in whatever order they come', async () => {
    const { peer, session } = await welcomedPeer();
    const results = [1, 2, 3].map(() => session.request('sync', {}, SOON));
    await settled();
    for (const { id } of peer.requests.toReversed()) peer.send({ type: 'reply', id, result: { tookMs: id * 10 } });
    expect(await Promise.all(results)).toEqual([{ tookMs: 10 }, { tookMs: 20 }, { tookMs: 30 }]);
  });

  test.each(AGENT_ERROR_CODES.filter((code) => code !== 'no-session'))(
    'fails in the agent’s words, made harmless: %s',
    async (code) => {
      const message = 'no\u001b[2J\r\n\u0000\u009b \u202eyaw\u2028 \ud800 ä';
      const { session } = await sessionWith({ answers: { sync: { error: { code, message } } } });
      await expect(session.request('sync', {}, SOON)).rejects.toMatchObject({
        code: 'AGENT_FAILED',
        message: 'The agent in the guest could not do sync: no?[2J???? ?yaw? ? ä',
        details: { method: 'sync', agentCode: code },
      });
    },
  );

  test.each([
    ['of another shape', '{"type":"reply","id":1,"result":{"tookMs":"long"}}'],
    ['with nothing in it', '{"type":"reply","id":1,"result":{}}'],
    ['without a result', '{"type":"reply","id":1}'],
    ['a list', '{"type":"reply","id":1,"result":[]}'],
    ['beyond every number', '{"type":"reply","id":1,"result":{"tookMs":1e999}}'],
    ['an error of no known code', '{"type":"error","id":1,"code":"odd","message":""}'],
    ['an error of too many words', `{"type":"error","id":1,"code":"busy","message":"${'x'.repeat(1001)}"}`],
  ])('fails at once where the answer cannot be read: %s', async (_, raw) => {
    const { session } = await sessionWith({ answers: { sync: { raw } } });
    await expect(session.request('sync', {}, SOON)).rejects.toMatchObject({
      code: 'AGENT_FAILED',
      message: 'The agent in the guest answered sync with something that cannot be read.',
    });
    expect(await session.request('health', {}, SOON)).toBeDefined();
  });

  test('what an answer has beyond the protocol does not reach us', async () => {
    const raw = '{"type":"reply","id":1,"result":{"tookMs":3,"constructor":{"prototype":{"a":1}},"later":[1]},"x":1}';
    const { session } = await sessionWith({ answers: { sync: { raw } } });
    const result = await session.request('sync', {}, SOON);
    expect(Object.entries(result)).toEqual([['tookMs', 3]]);
    expect(Object.getPrototypeOf(result)).toBe(Object.prototype);
  });

  test('that the protocol does not allow is a fault of ours and does not go out', async () => {
    const { agent, session } = await sessionWith({});
    await expect(session.request('setHostname', { hostname: 'x'.repeat(100_000) }, SOON)).rejects.toMatchObject({
      code: 'INTERNAL',
    });
    expect(await session.request('sync', {}, SOON)).toEqual({ tookMs: 1 });
    expect(agent.requests).toHaveLength(1);
  });
});

describe('the deadline of a request', () => {
  test('fails it; the answer that comes late is dropped', async () => {
    const { peer, session } = await welcomedPeer();
    // More than may be broken, one after the other.
    for (let count = 0; count < 150; count += 1) {
      await expect(session.request('sync', {}, { timeoutMs: 1 })).rejects.toMatchObject({
        code: 'AGENT_UNREACHABLE',
        message: 'The agent in the guest did not answer sync within 1 ms.',
      });
      peer.send({ type: 'reply', id: peer.requests.at(-1)?.id, result: 'not even readable' });
      await settled();
    }
    const last = session.request('sync', {}, SOON);
    await settled();
    peer.send({ type: 'reply', id: 151, result: { tookMs: 5 } });
    expect(await last).toEqual({ tookMs: 5 });
  });

  test('counts from the moment it was asked for, not from its turn', async () => {
    const { agent, session } = await sessionWith({ manner: 'sound', answers: { health: 'never' } });
    const open = Array.from({ length: MAX_OPEN_REQUESTS }, () => outcomeOf(session.request('health', {}, SOON)));
    await expect(session.request('sync', {}, { timeoutMs: 5 })).rejects.toMatchObject({ code: 'AGENT_UNREACHABLE' });
    expect(agent.requests.filter(({ method }) => method === 'sync')).toEqual([]);
    session.close();
    await Promise.all(open);
  });

  test('an agent that answers nothing at all loses its session', async () => {
    const { agent, session } = await sessionWith({ answers: { sync: 'never' } });
    const requests = Array.from({ length: MAX_OPEN_REQUESTS }, () => session.request('sync', {}, { timeoutMs: 5 }));
    const waiting = session.request('health', {}, SOON);
    await Promise.all(requests.map((request) => expect(request).rejects.toMatchObject({ code: 'AGENT_UNREACHABLE' })));
    await expect(waiting).rejects.toMatchObject({ code: 'AGENT_UNREACHABLE' });
    expect(await session.closed).toBe('The agent in the guest leaves its requests without an answer.');
    expect(agent.requests).toHaveLength(MAX_OPEN_REQUESTS);
  });
});

describe('the signal of a request', () => {
  test('ends it with its reason', async () => {
    const { agent, session } = await sessionWith({ answers: { sync: 'never' } });
    const abort = new AbortController();
    const request = session.request('sync', {}, { ...SOON, signal: abort.signal });
    await agent.asked('sync');
    abort.abort(new Error('enough'));
    await expect(request).rejects.toThrow('enough');
    expect(await session.request('health', {}, SOON)).toBeDefined();
  });

  test('that is aborted already keeps it from going out', async () => {
    const { agent, session } = await sessionWith({});
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(session.request('sync', {}, { ...SOON, signal })).rejects.toThrow('enough');
    await settled();
    expect(agent.requests).toEqual([]);
  });

  test('has no listener of ours left, however the requests ended, and nobody is warned', async () => {
    const { agent, session } = await sessionWith({ answers: { sync: { error: { code: 'failed', message: 'no' } } } });
    const warnings = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    onTestFinished(() => warnings.mockRestore());
    const { signal } = new AbortController();
    const ask = (method: AgentMethod, timeoutMs: number): Promise<unknown> =>
      outcomeOf(session.request(method, {}, { timeoutMs, signal }));
    for (let round = 0; round < 4; round += 1) {
      await Promise.all(Array.from({ length: 100 }, (_, index) => ask(index % 2 === 0 ? 'sync' : 'health', 30_000)));
    }
    agent.setPlan({ answers: { sync: 'never' } });
    await Promise.all(Array.from({ length: 60 }, () => ask('sync', 1)));
    const lost = Array.from({ length: 20 }, () => ask('sync', 30_000));
    expect(getEventListeners(signal, 'abort')).toHaveLength(20);
    agent.dropHosts();
    await Promise.all(lost);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    expect(warnings).not.toHaveBeenCalled();
  });
});

describe('many requests', () => {
  test('no more than 64 are under way; the others follow in order, and not too many may wait', async () => {
    const { peer, session } = await welcomedPeer();
    const answered: number[] = [];
    const requests = Array.from({ length: 320 }, (_, index) =>
      session.request('sync', {}, SOON).then(() => answered.push(index)),
    );
    await expect(session.request('sync', {}, SOON)).rejects.toMatchObject({
      code: 'AGENT_UNREACHABLE',
      message: expect.stringContaining('does not keep up'),
    });
    for (let id = 1; id <= 320; id += 1) {
      await settled();
      expect(peer.requests).toHaveLength(Math.min(320, id - 1 + MAX_OPEN_REQUESTS));
      peer.send({ type: 'reply', id, result: { tookMs: 0 } });
    }
    await Promise.all(requests);
    expect(answered).toEqual(Array.from({ length: 320 }, (_, index) => index));
  });

  test('to an agent that does not read are held back: what waits to be written has a bound', async () => {
    const unread: (() => void)[] = [];
    const sent: string[] = [];
    const stream = new Duplex({
      writableHighWaterMark: 200,
      read: () => undefined,
      write(chunk: Buffer, _encoding, done) {
        sent.push(chunk.toString('utf8'));
        const [, session] = /"session":"([0-9a-f]+)"/.exec(sent.at(-1) ?? '') ?? [];
        if (session === undefined) unread.push(done);
        else done();
        if (session !== undefined) this.push(`${JSON.stringify(welcomeTo(session))}\n`);
      },
    });
    const session = await createAgentConnector().connect(stream, new AbortController().signal);
    const requests = Array.from({ length: 50 }, () => outcomeOf(session.request('sync', {}, SOON)));
    expect(stream.writableLength).toBeLessThan(300);
    expect(sent).toHaveLength(2);
    while (sent.length < 51) {
      unread.shift()?.();
      expect(stream.writableLength).toBeLessThan(300);
      await settled();
    }
    session.close();
    await Promise.all(requests);
  });
});

describe('a frame that breaks the protocol', () => {
  const BROKEN: readonly (readonly [string, string | Buffer])[] = [
    ['no JSON', 'nonsense'],
    ['no object', '[]'],
    ['no UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d])],
    ['of no type', '{}'],
    ['of a type that is none', '{"type":"hello"}'],
    ['of a type that an object has by itself', '{"type":"constructor"}'],
    ['a second welcome', '{"type":"welcome"}'],
    ['an event of no kind', '{"type":"event"}'],
    ['an event of a kind that is no text', '{"type":"event","event":["stage"]}'],
    ['an event of another shape', '{"type":"event","event":"stage","stage":"ssh"}'],
    ['an event of no known stage', '{"type":"event","event":"stage","stage":"moon","sinceBootMs":1}'],
    ['a reply to nothing', '{"type":"reply","id":7,"result":{}}'],
    ['an error of nothing', '{"type":"error","id":7,"code":"busy","message":""}'],
    ['a reply whose number is none', '{"type":"reply","id":"1","result":{}}'],
    ['nested too deep', `{"type":"event","event":"new","a":${'['.repeat(500)}${']'.repeat(500)}}`],
  ];

  test.each(BROKEN)('%s: the hundredth ends the session', async (_, frame) => {
    const { peer, session } = await welcomedPeer();
    const events = eventsOf(session);
    const send = (count: number): void => {
      for (let sent = 0; sent < count; sent += 1) {
        peer.stream.write(frame);
        peer.stream.write('\n');
      }
    };
    send(99);
    peer.send(STAGE);
    await settled();
    expect(events).toEqual([STAGE]);
    const request = outcomeOf(session.request('sync', {}, SOON));
    await settled();
    send(1);
    expect(await session.closed).toBe('The agent in the guest sent 100 frames that break the protocol.');
    expect(await request).toMatchObject({ code: 'AGENT_FAILED' });
    await expect(session.request('sync', {}, SOON)).rejects.toMatchObject({ code: 'AGENT_FAILED' });
    expect(peer.host.destroyed).toBe(true);
  });

  test('an answer that cannot be read, or that was given already, is one too', async () => {
    const { peer, session } = await welcomedPeer();
    for (let id = 1; id <= 50; id += 1) {
      const request = outcomeOf(session.request('sync', {}, SOON));
      await settled();
      peer.send({ type: 'reply', id, result: {} }, { type: 'reply', id, result: { tookMs: 1 } });
      expect(await request).toMatchObject({ code: 'AGENT_FAILED' });
    }
    expect(await session.closed).toMatch(/100 frames/);
  });

  test.each([
    ['with an end', `${'x'.repeat(MAX_FRAME_BYTES)}\n`],
    ['without one', 'x'.repeat(MAX_FRAME_BYTES)],
  ])('a line that is too long, %s, ends the session by itself', async (_, line) => {
    const { peer, session } = await welcomedPeer();
    const request = outcomeOf(session.request('sync', {}, SOON));
    peer.stream.write(line);
    expect(await session.closed).toBe('The agent in the guest sent a line of more than 65536 bytes.');
    expect(await request).toMatchObject({ code: 'AGENT_FAILED' });
  });

  test('what a newer agent says beyond this is none: events and fields that are not known, empty lines', async () => {
    stopTime();
    const { peer, session } = await welcomedPeer();
    const events = eventsOf(session);
    for (let count = 0; count < 200; count += 1) {
      peer.send({ type: 'event', event: 'moon', phase: { full: true } }, { type: 'event', event: 'toString' });
      peer.send({ ...STAGE, unit: 'ssh.service' });
      peer.stream.write('\n');
    }
    await settled();
    expect(events).toEqual(Array.from({ length: 200 }, () => STAGE));
  });
});

describe('a flood of events', () => {
  test('is read at its pace and cut off by nobody; answers come through it', async () => {
    stopTime();
    const { session } = await sessionWith({ manner: 'flood' });
    const events = eventsOf(session);
    await settled();
    const burst = events.length;
    expect(burst).toBeGreaterThan(500);
    expect(burst).toBeLessThan(1100);
    await settled();
    expect(events).toHaveLength(burst);
    const asked = session.request('health', {}, { timeoutMs: 60_000 });
    await passTime(asked);
    expect(await asked).toBeDefined();
    const before = events.length;
    for (let second = 0; second < 10; second += 1) {
      vi.advanceTimersByTime(1000);
      await settled();
    }
    expect(events.length - before).toBeGreaterThan(4_000);
    expect(events.length - before).toBeLessThan(11_000);
    session.close();
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('a listener', () => {
  test('hears every event until it has had enough', async () => {
    const { agent, session } = await sessionWith({ stages: ['agent'] });
    const first = eventsOf(session);
    const second: AgentEvent[] = [];
    const stop = session.subscribe((event) => {
      second.push(event);
      stop();
    });
    agent.reach('network');
    agent.reach('ssh');
    await settled();
    expect(first.map(({ event }) => event)).toEqual(['stage', 'stage', 'ready']);
    expect(second).toHaveLength(1);
    stop();
  });

  test('hears the ports once it watches them', async () => {
    const { agent, session } = await sessionWith({});
    const events = eventsOf(session);
    await session.request('watchPorts', { enabled: true }, SOON);
    const port = { protocol: 'tcp', address: '0.0.0.0', port: 22 } as const;
    agent.setPorts([port]);
    await session.request('watchPorts', { enabled: false }, SOON);
    agent.setPorts([]);
    await settled();
    expect(events).toEqual([
      { type: 'event', event: 'ports', ports: { listening: [], truncated: false } },
      { type: 'event', event: 'ports', ports: { listening: [port], truncated: false } },
    ]);
  });

  test('that throws ends the session and nothing more', async () => {
    const { agent, session } = await sessionWith({ stages: ['agent'] });
    session.subscribe(() => {
      throw new TypeError('boom');
    });
    agent.reach('network');
    expect(await session.closed).toBe('Unexpected fault: boom');
    await expect(session.request('sync', {}, SOON)).rejects.toMatchObject({ code: 'INTERNAL' });
  });
});

describe('the end of a session', () => {
  test.each<[string, (agent: FakeAgent, session: AgentSession) => void, RegExp]>([
    ['let go by us', (_agent, session) => session.close(), /let go/],
    ['dropped by the agent', (agent) => agent.dropHosts(), /ended|closed/],
  ])('%s: what waits fails, and what comes after it', async (_, end, words) => {
    const { agent, session } = await sessionWith({ answers: { sync: 'never' } });
    const requests = Array.from({ length: 80 }, () => outcomeOf(session.request('sync', {}, SOON)));
    await agent.asked('sync');
    end(agent, session);
    expect(await session.closed).toMatch(words);
    for (const outcome of await Promise.all(requests)) expect(outcome).toMatchObject({ code: 'AGENT_UNREACHABLE' });
    await expect(session.request('sync', {}, SOON)).rejects.toMatchObject({ code: 'AGENT_UNREACHABLE' });
  });

  test('at a hail: the agent was started anew, and knows nothing of what it was asked', async () => {
    const { peer, session } = await welcomedPeer();
    const outcome = outcomeOf(session.request('sync', {}, SOON));
    peer.send({ type: 'hail' });
    expect(await session.closed).toBe('The agent in the guest was started anew.');
    expect(await outcome).toMatchObject({ code: 'AGENT_UNREACHABLE' });
  });

  test('has the first reason only, however often it comes', async () => {
    const { agent, session } = await sessionWith({});
    session.close();
    session.close();
    agent.dropHosts();
    await settled();
    session.close();
    expect(await session.closed).toBe('The session with the agent was let go.');
  });

  test('where the agent was started anew: its session is of no use, and whoever waits learns it', async () => {
    const { agent, session } = await sessionWith({ answers: { sync: 'never' } });
    const waiting = outcomeOf(session.request('sync', {}, SOON));
    await agent.asked('sync');
    agent.restart();
    const forgotten = {
      code: 'AGENT_UNREACHABLE',
      message: 'The agent in the guest has forgotten us and must be greeted again.',
    };
    await expect(session.request('health', {}, SOON)).rejects.toMatchObject(forgotten);
    expect(await waiting).toMatchObject(forgotten);
    expect(await session.closed).toBe(forgotten.message);
  });

  test('where the agent says so only after the deadline', async () => {
    const { peer, session } = await welcomedPeer();
    await expect(session.request('sync', {}, { timeoutMs: 1 })).rejects.toMatchObject({ code: 'AGENT_UNREACHABLE' });
    peer.send({ type: 'error', id: 1, code: 'no-session', message: '' });
    expect(await session.closed).toMatch(/forgotten us/);
  });

  test('at the first request', async () => {
    const { session } = await sessionWith({ manner: 'closes-later' });
    await expect(session.request('sync', {}, SOON)).rejects.toMatchObject({ code: 'AGENT_UNREACHABLE' });
  });

  test('by garbage without end', async () => {
    const { session } = await sessionWith({ manner: 'garbage-later' });
    expect(await session.closed).toMatch(/100 frames/);
  });

  test('nothing is told after it, not even what had come before', async () => {
    const { agent, session } = await sessionWith({ stages: ['agent'] });
    const events = eventsOf(session);
    agent.reach('ssh');
    session.close();
    await settled();
    expect(events).toEqual([]);
    agent.reach('network');
    await settled();
    expect(events).toEqual([]);
  });

  test('an answer that was sent before the agent left still counts', async () => {
    const { peer, session } = await welcomedPeer();
    const request = session.request('powerOff', {}, SOON);
    await settled();
    peer.send({ type: 'reply', id: 1, result: {} });
    peer.stream.end();
    expect(await request).toEqual({});
    expect(await session.closed).toBe('The stream to the agent ended.');
  });
});
