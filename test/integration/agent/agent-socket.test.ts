/** The protocol over a real unix socket, as a VMM offers it. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createAgentConnector } from '../../../src/adapters/agent/agent-connector.ts';
import { FakeAgent } from '../../fakes/agent/fake-agent.ts';
import { FAKE_STATS, type FakeAgentPlan } from '../../fakes/agent/fake-agent-plan.ts';
import { makeTempDir } from '../../support/temp-dir.ts';

const SOON = { timeoutMs: 30_000 };
const NEVER = new AbortController().signal;
const connector = createAgentConnector();

async function listening(plan: FakeAgentPlan = {}): Promise<{ agent: FakeAgent; open: () => Promise<Socket> }> {
  const path = join(await makeTempDir(), 'agent.sock');
  const agent = new FakeAgent(plan);
  await agent.listen(path);
  onTestFinished(() => agent.close());
  const open = async (): Promise<Socket> => {
    const socket = connect(path);
    onTestFinished(() => void socket.destroy());
    await once(socket, 'connect');
    return socket;
  };
  return { agent, open };
}

test('a session, from its greeting to its end', async () => {
  const { agent, open } = await listening({ stages: ['agent'] });
  const session = await connector.connect(await open(), NEVER);
  const ready = new Promise((resolve) => {
    session.subscribe((event) => event.event === 'ready' && resolve(event.stages));
  });
  expect(await session.request('stats', {}, SOON)).toEqual(FAKE_STATS);
  agent.reach('network');
  agent.reach('ssh');
  expect(await ready).toEqual({ agent: 3120, network: 3350, ssh: 5210 });
  const waiting = session.request('sync', {}, { timeoutMs: 30_000 }).catch((error: unknown) => error);
  agent.dropHosts();
  expect(await waiting).toMatchObject({ code: 'AGENT_UNREACHABLE' });
  expect(await session.closed).toMatch(/^The stream to the agent /);
  expect(agent.violations).toEqual([]);
});

test('one host at a time: the next one is greeted when the first has gone', async () => {
  const { agent, open } = await listening();
  const first = await connector.connect(await open(), NEVER);
  const second = connector.connect(await open(), NEVER);
  await first.request('sync', {}, SOON);
  expect(agent.hellos).toBe(1);
  first.close();
  expect(await (await second).request('health', {}, SOON)).toBeDefined();
  expect(agent.hellos).toBe(2);
});

test('a flood is held back at the guest’s own end, and answers come through it', async () => {
  const { open } = await listening({ manner: 'flood' });
  const session = await connector.connect(await open(), NEVER);
  const startedAt = performance.now();
  let events = 0;
  session.subscribe(() => {
    events += 1;
  });
  // Behind all that the socket holds: a few seconds.
  expect(await session.request('health', {}, SOON)).toBeDefined();
  const elapsedMs = performance.now() - startedAt;
  // A thousand a second, and a thousand at once.
  expect(events).toBeLessThan(1_100 + elapsedMs * 1.1);
  session.close();
});
