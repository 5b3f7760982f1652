import { getEventListeners } from 'node:events';
import { Duplex, duplexPair } from 'node:stream';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createAgentConnector } from '../../../../src/adapters/agent/agent-connector.ts';
import { MAX_FRAME_BYTES } from '../../../../src/contracts/agent.ts';
import type { AgentEvent, AgentMethod, AgentParams } from '../../../../src/contracts/agent-messages.ts';
import { readAgentFixture } from '../../../support/agent-fixture.ts';
import { AgentPeer, passTime, settled, stopTime, welcomeTo } from '../../../support/agent-peer.ts';
import { FakeAgent } from '../../../fakes/agent/fake-agent.ts';
import { FAKE_BOOT_ID, type FakeAgentPlan } from '../../../fakes/agent/fake-agent-plan.ts';

const connector = createAgentConnector();
const NEVER = new AbortController().signal;
const STAGE = { type: 'event', event: 'stage', stage: 'ssh', sinceBootMs: 1 } as const;

function fakeAgent(plan: FakeAgentPlan = {}): FakeAgent {
  const agent = new FakeAgent(plan);
  onTestFinished(() => agent.close());
  return agent;
}

describe('the greeting', () => {
  test('is one hello behind an empty line; the session has what the agent said', async () => {
    const agent = fakeAgent({ stages: ['agent', 'network'] });
    const session = await connector.connect(agent.connect(), NEVER);
    expect(session.welcome).toEqual({
      type: 'welcome',
      session: expect.stringMatching(/^[0-9a-f]{32}$/),
      protocol: 1,
      agent: '0.1.0',
      bootId: FAKE_BOOT_ID,
      stages: { agent: 3120, network: 3350 },
    });
    session.close();
    expect(agent).toMatchObject({ hellos: 1, violations: [] });
    const peer = new AgentPeer();
    void connector.connect(peer.host, NEVER).catch(() => undefined);
    await settled();
    expect(peer.lines).toEqual(['', expect.stringMatching(/^\{"type":"hello","session":"[0-9a-f]{32}","oldest"/)]);
    peer.stream.destroy();
  });

  test('may be answered long after: the guest has to boot first', async () => {
    const [host, guest] = duplexPair();
    const connecting = connector.connect(host, NEVER);
    await settled();
    fakeAgent().serve(guest);
    expect((await connecting).welcome.protocol).toBe(1);
  });

  test('is said anew to an agent that hails: the one before may have taken it along', async () => {
    const peer = new AgentPeer();
    const connecting = connector.connect(peer.host, NEVER);
    await settled();
    const first = peer.session;
    peer.send({ type: 'hail' });
    await settled();
    const hellos = peer.lines.filter((line) => line.includes('"hello"'));
    expect(hellos).toHaveLength(2);
    const second = (JSON.parse(hellos[1] ?? '{}') as { session: string }).session;
    // Whoever answers the first is no more, or was too late.
    peer.send(welcomeTo(first), welcomeTo(second));
    expect((await connecting).welcome.session).toBe(second);
  });

  test('is not said without end to one that only hails', async () => {
    const peer = new AgentPeer();
    const giveUp = new AbortController();
    const connecting = connector.connect(peer.host, giveUp.signal);
    await settled();
    peer.send(...Array.from({ length: 500 }, () => ({ type: 'hail' })));
    await settled();
    expect(peer.lines.filter((line) => line.includes('"hello"')).length).toBeLessThan(30);
    giveUp.abort();
    await expect(connecting).rejects.toBe(giveUp.signal.reason);
  });

  test('what an older session left in the stream is passed over', async () => {
    const peer = new AgentPeer();
    peer.stream.write('half of a frame"}\n\nnonsense\n[]\n{"type":"welcome"}\n');
    peer.stream.write(`${'x'.repeat(3 * MAX_FRAME_BYTES)}\n`);
    peer.send(
      STAGE,
      { type: 'reply', id: 1, result: {} },
      { type: 'refused', session: '0'.repeat(32), oldest: 7, newest: 7 },
    );
    for (let count = 0; count < 500; count += 1) peer.send({ type: 'nothing that we know' });
    const connecting = connector.connect(peer.host, NEVER);
    await settled();
    peer.stream.write('{"type":"event","event":"po');
    peer.stream.write('\n');
    peer.welcome();
    const session = await connecting;
    // None of it counts against the new session.
    const events: AgentEvent[] = [];
    session.subscribe((event) => events.push(event));
    peer.send(STAGE);
    await settled();
    expect(events).toEqual([STAGE]);
  });

  test('half a frame that a killed process left, on either side, swallows neither hello nor welcome', async () => {
    const agent = fakeAgent();
    const host = agent.connect();
    host.write('{"type":"request","id":1,"meth');
    agent.sendRaw('{"type":"event","ev');
    const session = await connector.connect(host, NEVER);
    expect(session.welcome.protocol).toBe(1);
    expect(agent.violations).toEqual(['{"type":"request","id":1,"meth']);
    session.close();
  });

  test('events that come along with the welcome reach who subscribes at once', async () => {
    const agent = fakeAgent({ stages: ['agent'], stagesAfterWelcome: ['network', 'ssh'] });
    const session = await connector.connect(agent.connect(), NEVER);
    const events: string[] = [];
    session.subscribe((event) => events.push(event.event));
    await settled();
    expect(events).toEqual(['stage', 'stage', 'ready']);
  });
});

describe('a guest that never comes to the point', () => {
  test.each([
    ['lines', 'this is no welcome\n'.repeat(1000)],
    ['one line without an end', 'x'.repeat(64 * 1024)],
    ['frames', `${JSON.stringify(STAGE)}\n`.repeat(500)],
  ])('is listened to for 4 MiB of %s', async (_, text) => {
    let sentBytes = 0;
    const host = new Duplex({
      read() {
        sentBytes += text.length;
        this.push(text);
      },
      write: (_chunk, _encoding, done) => done(),
    });
    // It is not read faster than any other guest, so that this takes minutes.
    stopTime();
    const connecting = connector.connect(host, NEVER);
    await passTime(connecting);
    await expect(connecting).rejects.toMatchObject({
      code: 'AGENT_FAILED',
      message: expect.stringMatching(/^The guest sent 4\d{6} bytes and no answer to our greeting\.$/),
    });
    expect(host.destroyed).toBe(true);
    expect(sentBytes).toBeLessThan(5 * 2 ** 20);
  });

  test.each<FakeAgentPlan>([{ manner: 'silent' }, { manner: 'garbage' }])('is waited for: %o', async (plan) => {
    const abort = new AbortController();
    const host = fakeAgent(plan).connect();
    const connecting = connector.connect(host, abort.signal);
    await settled();
    const reason = new Error('enough');
    abort.abort(reason);
    await expect(connecting).rejects.toBe(reason);
    expect(host.destroyed).toBe(true);
  });

  test('is given up at once where the wait was over before it began', async () => {
    const agent = fakeAgent();
    const host = agent.connect();
    await expect(connector.connect(host, AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
    await settled();
    expect(host.destroyed).toBe(true);
    expect(agent.hellos).toBe(0);
  });

  test('a welcome that breaks the protocol is no welcome', async () => {
    const peer = new AgentPeer();
    const connecting = connector.connect(peer.host, NEVER);
    await settled();
    peer.send({ type: 'welcome', session: peer.session, protocol: 1 });
    await expect(connecting).rejects.toMatchObject({ code: 'AGENT_FAILED' });
    expect(peer.host.destroyed).toBe(true);
  });
});

describe('a stream that ends before the welcome', () => {
  test.each<[string, (peer: AgentPeer) => void, RegExp]>([
    ['ended', (peer) => void peer.stream.end(), /ended/],
    ['closed', (peer) => void peer.host.destroy(), /closed/],
    ['broken', (peer) => void peer.host.destroy(new Error('reset')), /broke: reset/],
  ])('%s', async (_, end, words) => {
    const peer = new AgentPeer();
    const connecting = connector.connect(peer.host, NEVER);
    await settled();
    end(peer);
    await expect(connecting).rejects.toMatchObject({
      code: 'AGENT_UNREACHABLE',
      message: expect.stringMatching(words),
    });
    expect(peer.host.destroyed).toBe(true);
  });

  test('or had ended already', async () => {
    const peer = new AgentPeer();
    peer.host.destroy();
    await expect(connector.connect(peer.host, NEVER)).rejects.toMatchObject({ code: 'AGENT_UNREACHABLE' });
  });

  test('an agent that closes at the hello', async () => {
    const host = fakeAgent({ manner: 'closes' }).connect();
    await expect(connector.connect(host, NEVER)).rejects.toMatchObject({ code: 'AGENT_UNREACHABLE' });
  });
});

test('nothing stays on the signal, whatever became of the greeting', async () => {
  const { signal } = new AbortController();
  const agent = fakeAgent();
  for (let count = 0; count < 50; count += 1) (await connector.connect(agent.connect(), signal)).close();
  agent.setPlan({ manner: 'closes' });
  for (let count = 0; count < 50; count += 1) {
    await expect(connector.connect(agent.connect(), signal)).rejects.toThrow('The stream');
  }
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});

describe('generations', () => {
  const range = (oldest: number, newest: number) => ({ oldest, newest });

  test.each([
    ['today', range(1, 1), range(1, 1), 1],
    ['a new daemon, the agent of an older image', range(1, 2), range(1, 1), 1],
    ['an old daemon, the agent of a newer image', range(1, 1), range(1, 2), 1],
    ['both newer', range(1, 3), range(2, 3), 3],
    ['a daemon that has forgotten the oldest', range(2, 4), range(1, 2), 2],
  ])('%s: they speak the newest that both know', async (_, ours, theirs, protocol) => {
    const agent = fakeAgent({ generations: theirs });
    const session = await createAgentConnector(ours).connect(agent.connect(), NEVER);
    expect(session.welcome.protocol).toBe(protocol);
    expect(await session.request('sync', {}, { timeoutMs: 10_000 })).toEqual({ tookMs: 1 });
    expect(agent.violations).toEqual([]);
  });

  test.each([
    [range(1, 1), range(2, 3)],
    [range(3, 4), range(1, 2)],
  ])('we speak %o, the agent %o: none that both know', async (ours, theirs) => {
    const host = fakeAgent({ generations: theirs }).connect();
    await expect(createAgentConnector(ours).connect(host, NEVER)).rejects.toMatchObject({
      code: 'AGENT_FAILED',
      details: { ours, theirs },
    });
    expect(host.destroyed).toBe(true);
  });

  test('all of generation 1 is understood when there is a second one', async () => {
    const { host, agent: messages, results } = readAgentFixture(1);
    const answers = Object.fromEntries(Object.entries(results).map(([method, [result]]) => [method, { result }]));
    const agent = fakeAgent({ generations: range(1, 1), answers });
    const session = await createAgentConnector(range(1, 2)).connect(agent.connect(), NEVER);
    const requests = host.filter((message) => message['type'] === 'request');
    for (const { method, params } of requests as unknown as {
      method: AgentMethod;
      params: AgentParams<AgentMethod>;
    }[]) {
      expect(await session.request(method, params, { timeoutMs: 10_000 })).toEqual(results[method][0]);
    }
    const events: AgentEvent[] = [];
    session.subscribe((event) => events.push(event));
    const sent = messages.filter((message) => message['type'] === 'event');
    agent.sendRaw(sent.map((event) => `${JSON.stringify(event)}\n`).join(''));
    await settled();
    expect(agent.requests).toEqual(requests.map(({ method, params }) => ({ method, params })));
    expect(events).toEqual(sent);
  });
});
