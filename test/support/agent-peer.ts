import { createInterface } from 'node:readline';
import { type Duplex, duplexPair } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { onTestFinished, vi } from 'vitest';
import { createAgentConnector } from '../../src/adapters/agent/agent-connector.ts';
import type { AgentSession } from '../../src/core/vms/agent.ts';
import { FAKE_BOOT_ID } from '../fakes/agent/fake-agent-plan.ts';

/** The agent's end of a stream in the test's own hands: every byte it sends is the test's. */
export class AgentPeer {
  /** For `connect`. */
  readonly host: Duplex;
  readonly stream: Duplex;
  /** Every line the host has sent. */
  readonly lines: string[] = [];

  constructor() {
    [this.host, this.stream] = duplexPair();
    this.stream.on('error', () => undefined);
    createInterface({ input: this.stream }).on('line', (line) => this.lines.push(line));
  }

  /** The session that the host's hello bears; '' before it. */
  get session(): string {
    return /"session":"([0-9a-f]+)"/.exec(this.lines.join())?.[1] ?? '';
  }

  /** Every request the host has sent. */
  get requests(): readonly { readonly id: number; readonly method: string }[] {
    return this.lines
      .filter((line) => line.includes('"request"'))
      .map((line) => JSON.parse(line) as { id: number; method: string });
  }

  send(...messages: readonly object[]): void {
    for (const message of messages) this.stream.write(`${JSON.stringify(message)}\n`);
  }

  welcome(): void {
    this.send(welcomeTo(this.session));
  }
}

/** A welcome as a sound agent sends it. */
export function welcomeTo(session: string): object {
  const stages = { agent: 3120 };
  return { type: 'welcome', session, protocol: 1, agent: '0.1.0', bootId: FAKE_BOOT_ID, stages };
}

/** A session with an agent that the test speaks for; it ends with the test. */
export async function welcomedPeer(): Promise<{ readonly peer: AgentPeer; readonly session: AgentSession }> {
  const peer = new AgentPeer();
  const connecting = createAgentConnector().connect(peer.host, new AbortController().signal);
  await settled();
  peer.welcome();
  const session = await connecting;
  onTestFinished(() => session.close());
  return { peer, session };
}

/** Waits until whatever was written has been read and answered: streams in memory take a few turns of the loop. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await nextTurn();
}

/** Lets timers and clock stand still for this test; they move by `passTime` only. Streams and promises go on. */
export function stopTime(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  onTestFinished(() => void vi.useRealTimers());
}

/** Until `work` is settled, in steps of a second. */
export async function passTime(work: Promise<unknown>): Promise<void> {
  const over = new AbortController();
  const end = (): void => over.abort();
  work.then(end, end);
  for (;;) {
    await settled();
    if (over.signal.aborted) return;
    vi.advanceTimersByTime(1000);
  }
}
