import { PassThrough } from 'node:stream';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { AgentEvent, AgentPorts, AgentWelcome } from '../../../../src/contracts/agent-messages.ts';
import type { AgentSession } from '../../../../src/core/vms/agent.ts';
import { AgentLink } from '../../../../src/core/vms/agent-link.ts';
import type { MachineExit } from '../../../../src/core/vms/engine.ts';

const SIGNAL = new AbortController().signal;

class FakeSession implements AgentSession {
  readonly welcome: AgentWelcome;
  readonly requests: string[] = [];
  readonly #closed = Promise.withResolvers<string>();
  readonly closed = this.#closed.promise;
  readonly #listeners = new Set<(event: AgentEvent) => void>();

  constructor(stages: AgentWelcome['stages'] = { agent: 10 }) {
    const bootId = '00000000-0000-4000-8000-000000000000';
    this.welcome = { type: 'welcome', session: 'a'.repeat(16), protocol: 1, agent: '0.1.0', bootId, stages };
  }

  request(method: string): Promise<never> {
    this.requests.push(method);
    return Promise.resolve({} as never);
  }

  subscribe(listener: (event: AgentEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  tell(event: AgentEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  close(why = 'let go'): void {
    this.#closed.resolve(why);
  }
}

function linkTo(sessions: readonly FakeSession[]): {
  readonly link: AgentLink;
  readonly lines: string[];
  readonly end: () => void;
  readonly connected: () => number;
} {
  const { promise: exited, resolve } = Promise.withResolvers<MachineExit>();
  const lines: string[] = [];
  let connected = 0;
  const machine = { exited, openAgentStream: () => Promise.resolve(new PassThrough()) };
  const connect = (): Promise<AgentSession> => {
    const session = sessions[connected];
    connected += 1;
    return session ? Promise.resolve(session) : new Promise(() => undefined);
  };
  const link = new AgentLink(machine, { connector: { connect }, log: (line) => lines.push(line) });
  onTestFinished(() => link.close());
  return {
    link,
    lines,
    end: () => resolve({ reason: 'guest-shutdown', detail: '' }),
    connected: () => connected,
  };
}

const LISTENING: AgentPorts = {
  listening: [{ protocol: 'tcp', address: '0.0.0.0', port: 3000, process: 'node', pid: 7 }],
  truncated: false,
};

test('stages come by the welcome and by events, and stay', async () => {
  const session = new FakeSession({ agent: 10, network: 20 });
  const { link } = linkTo([session]);
  expect(await link.reached('agent', SIGNAL)).toBe(10);
  expect(await link.reached('network', SIGNAL)).toBe(20);
  session.tell({ type: 'event', event: 'stage', stage: 'ssh', sinceBootMs: 30 });
  expect(await link.reached('ssh', SIGNAL)).toBe(30);
  expect(link.welcome?.agent).toBe('0.1.0');
});

test('an agent that was started anew is greeted again at once, and asked for its ports again', async () => {
  const [first, second] = [new FakeSession(), new FakeSession()];
  const { link, connected } = linkTo([first, second]);
  await link.reached('agent', SIGNAL);
  const told: AgentPorts[] = [];
  link.watchPorts((ports) => told.push(ports));
  expect(first.requests).toEqual(['watchPorts']);
  first.tell({ type: 'event', event: 'ports', ports: LISTENING });
  first.close('started anew');
  await vi.waitFor(() => expect(second.requests).toEqual(['watchPorts']));
  expect(connected()).toBe(2);
  // Between the two nobody knows of anything that listens.
  expect(told).toEqual([LISTENING, { listening: [], truncated: false }]);
});

test('conversations that fail at once are begun ever more rarely', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const sessions = Array.from({ length: 50 }, () => new FakeSession());
  for (const session of sessions) session.close('it speaks nonsense');
  const { connected } = linkTo(sessions);
  await vi.advanceTimersByTimeAsync(120_000);
  expect(connected()).toBeLessThan(8);
  expect(connected()).toBeGreaterThan(3);
});

test('a request without an agent says so', async () => {
  const { link } = linkTo([]);
  await expect(link.request('sync', {}, { timeoutMs: 10 })).rejects.toMatchObject({ code: 'AGENT_UNREACHABLE' });
});

test('it ends with the machine', async () => {
  const session = new FakeSession();
  const { link, end, connected, lines } = linkTo([session, new FakeSession()]);
  await link.reached('agent', SIGNAL);
  end();
  await session.closed;
  await Promise.resolve();
  expect(link.welcome).toBeUndefined();
  expect(connected()).toBe(1);
  expect(lines).toEqual([]);
});
