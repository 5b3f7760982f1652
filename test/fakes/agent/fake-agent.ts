/** Stands in for the agent in a guest: speaks its protocol over any stream, as a plan and the test tell it to. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { createInterface } from 'node:readline';
import { type Duplex, duplexPair } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { AGENT_PROTOCOL, AGENT_STAGES, OLDEST_AGENT_PROTOCOL, type AgentStage } from '../../../src/contracts/agent.ts';
import {
  AGENT_METHODS,
  hostMessageSchema,
  type AgentMessage,
  type AgentMethod,
  type HostMessage,
  type ListeningPort,
} from '../../../src/contracts/agent-messages.ts';
import { FAKE_BOOT_ID, FAKE_STAGE_MS, FAKE_STATS, type FakeAgentPlan, type FakeAnswer } from './fake-agent-plan.ts';

const GARBAGE = 'this is no frame\n';
const FLOOD = `${JSON.stringify({ type: 'event', event: 'stage', stage: 'ssh', sinceBootMs: 1 })}\n`.repeat(100);

type Hello = Extract<HostMessage, { type: 'hello' }>;
type Request = Extract<HostMessage, { type: 'request' }>;

/** A stream to a host, and what the host has said on it. */
interface Host {
  readonly stream: Duplex;
  isWelcomed: boolean;
  isWatchingPorts: boolean;
}

export class FakeAgent {
  /** Every request so far, oldest first. */
  readonly requests: { readonly method: AgentMethod; readonly params: Readonly<Record<string, unknown>> }[] = [];
  /** Whatever a host said that breaks the protocol: ours never should. */
  readonly violations: string[] = [];
  /** Called with each request, before it is answered: a fake VMM ends at `powerOff`. */
  onRequest: (method: AgentMethod) => void = () => undefined;
  #plan: FakeAgentPlan;
  #stages: Set<AgentStage>;
  #ports: readonly ListeningPort[];
  #hellos = 0;
  readonly #hosts = new Set<Host>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #changes = new EventTarget();
  #server: Server | undefined;

  constructor(plan: FakeAgentPlan = {}) {
    this.#plan = plan;
    this.#stages = new Set(plan.stages ?? AGENT_STAGES);
    this.#ports = plan.ports ?? [];
  }

  get hellos(): number {
    return this.#hellos;
  }

  /** Takes effect from the next thing it reads; stages and ports stay as they are. */
  setPlan(plan: FakeAgentPlan): void {
    this.#plan = plan;
  }

  /** A new stream to this agent, without any socket. @returns the host's end. */
  connect(): Duplex {
    const [host, guest] = duplexPair();
    this.serve(guest);
    return host;
  }

  /** Listens as a VMM does: one host at a time, the next one waits until it has gone. */
  async listen(socketPath: string): Promise<void> {
    const waiting: Duplex[] = [];
    let current: Duplex | undefined;
    const serveNext = (): void => {
      current = waiting.shift();
      current?.once('close', serveNext);
      if (current) this.serve(current);
    };
    this.#server = createServer((socket) => {
      waiting.push(socket);
      if (!current) serveNext();
    });
    this.#server.listen(socketPath);
    await once(this.#server, 'listening');
  }

  serve(stream: Duplex): void {
    const host: Host = { stream, isWelcomed: false, isWatchingPorts: false };
    this.#hosts.add(host);
    // A host may go in the middle of anything.
    stream.on('error', () => undefined);
    stream.once('close', () => this.#hosts.delete(host));
    createInterface({ input: stream }).on('line', (line) => {
      if (line !== '') this.#take(host, line);
    });
  }

  /** The guest comes so far; every host that was welcomed is told. */
  reach(stage: AgentStage): void {
    this.#stages.add(stage);
    const { agent, network, ssh } = this.#stageTimes();
    this.#tell({ type: 'event', event: 'stage', stage, sinceBootMs: FAKE_STAGE_MS[stage] });
    if (network === undefined || ssh === undefined) return;
    this.#tell({ type: 'event', event: 'ready', stages: { agent, network, ssh } });
  }

  /** Other sockets listen now; every host that watches is told. */
  setPorts(ports: readonly ListeningPort[]): void {
    this.#ports = ports;
    for (const host of this.#hosts) if (host.isWatchingPorts) this.#sendPorts(host);
  }

  /** Bytes to every host, whatever they are. */
  sendRaw(bytes: string | Buffer): void {
    for (const { stream } of this.#hosts) stream.write(bytes);
  }

  /** As if its process had been killed and started again: the stream stays, every session is forgotten. */
  restart(): void {
    this.#clearTimers();
    for (const host of this.#hosts) Object.assign(host, { isWelcomed: false, isWatchingPorts: false });
  }

  /** Waits until this was asked for, at once where it was already. The test's own timeout bounds it. */
  async asked(method: AgentMethod): Promise<void> {
    while (!this.requests.some((request) => request.method === method)) await once(this.#changes, 'request');
  }

  /** Ends every stream; whoever connects afterwards is served again. */
  dropHosts(): void {
    for (const { stream } of this.#hosts) stream.destroy();
  }

  close(): void {
    this.#clearTimers();
    this.#server?.close();
    this.dropHosts();
  }

  #take(host: Host, line: string): void {
    const { data: message } = hostMessageSchema.safeParse(parse(line));
    if (!message) this.violations.push(line);
    else if (message.type === 'hello') this.#greet(host, message);
    else if (host.isWelcomed) this.#work(host, message);
    else send(host, { type: 'error', id: message.id, code: 'no-session', message: 'say hello first' });
  }

  #greet(host: Host, { session, oldest, newest }: Hello): void {
    this.#hellos += 1;
    const { manner = 'sound' } = this.#plan;
    const ours = this.#plan.generations ?? { oldest: OLDEST_AGENT_PROTOCOL, newest: AGENT_PROTOCOL };
    const protocol = Math.min(newest, ours.newest);
    Object.assign(host, { isWelcomed: false, isWatchingPorts: false });
    if (manner === 'closes') host.stream.destroy();
    if (manner === 'garbage') host.stream.write(GARBAGE);
    if (manner === 'silent' || manner === 'closes' || manner === 'garbage') return;
    host.stream.write('\n');
    if (protocol < Math.max(oldest, ours.oldest)) {
      send(host, { type: 'refused', session, ...ours });
      return;
    }
    const { version = '0.1.0', bootId = FAKE_BOOT_ID, stagesAfterWelcome = [] } = this.#plan;
    send(host, { type: 'welcome', session, protocol, agent: version, bootId, stages: this.#stageTimes() });
    host.isWelcomed = true;
    for (const stage of stagesAfterWelcome) this.reach(stage);
    if (manner === 'flood') void writeWithoutEnd(host.stream, FLOOD);
    if (manner === 'garbage-later') void writeWithoutEnd(host.stream, GARBAGE);
  }

  #work(host: Host, { id, method, params }: Request): void {
    this.requests.push({ method, params });
    this.#changes.dispatchEvent(new Event('request'));
    this.onRequest(method);
    if (this.#plan.manner === 'closes-later') host.stream.destroy();
    const { answerDelayMs = 0 } = this.#plan;
    const answer = this.#answerTo(method, params);
    if (this.#plan.manner === 'silent' || answer === 'never') return;
    const give = (): void => {
      if ('raw' in answer) host.stream.write(`${answer.raw}\n`);
      else if ('error' in answer) send(host, { type: 'error', id, ...answer.error });
      else send(host, { type: 'reply', id, result: answer.result });
      if (method !== 'watchPorts' || !('result' in answer)) return;
      host.isWatchingPorts = params['enabled'] === true;
      if (host.isWatchingPorts) this.#sendPorts(host);
    };
    if (answerDelayMs === 0) give();
    else this.#later(answerDelayMs, give);
  }

  #answerTo(method: AgentMethod, params: Readonly<Record<string, unknown>>): FakeAnswer {
    const planned = this.#plan.answers?.[method];
    if (planned !== undefined) return planned;
    if (!AGENT_METHODS[method].params.safeParse(params).success) {
      this.violations.push(`${method} ${JSON.stringify(params)}`);
      return { error: { code: 'bad-request', message: `no such ${method}` } };
    }
    switch (method) {
      case 'health':
        return { result: { uptimeMs: FAKE_STATS.uptimeMs, stages: this.#stageTimes() } };
      case 'ports':
        return { result: { listening: this.#ports, truncated: false } };
      case 'stats':
        return { result: FAKE_STATS };
      case 'sync':
        return { result: { tookMs: 1 } };
      case 'bootId':
        return { result: { bootId: this.#plan.bootId ?? FAKE_BOOT_ID } };
      case 'watchPorts':
      case 'setClock':
      case 'setHostname':
      case 'setAddress':
      case 'powerOff':
        return { result: {} };
    }
  }

  #stageTimes(): { agent: number; network?: number; ssh?: number } {
    return {
      agent: FAKE_STAGE_MS.agent,
      ...(this.#stages.has('network') && { network: FAKE_STAGE_MS.network }),
      ...(this.#stages.has('ssh') && { ssh: FAKE_STAGE_MS.ssh }),
    };
  }

  #tell(message: AgentMessage): void {
    for (const host of this.#hosts) if (host.isWelcomed) send(host, message);
  }

  #sendPorts(host: Host): void {
    send(host, { type: 'event', event: 'ports', ports: { listening: [...this.#ports], truncated: false } });
  }

  #later(delayMs: number, run: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      run();
    }, delayMs);
    this.#timers.add(timer);
  }

  #clearTimers(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }
}

function send(host: Host, message: AgentMessage): void {
  if (!host.stream.destroyed) host.stream.write(`${JSON.stringify(message)}\n`);
}

/** As fast as the host reads, until it goes. */
async function writeWithoutEnd(stream: Duplex, text: string): Promise<void> {
  while (!stream.destroyed) {
    if (!stream.write(text)) await drainedOrClosed(stream);
    // In memory a stream is read within the same turn: nobody else would ever have one.
    await nextTurn();
  }
}

function drainedOrClosed(stream: Duplex): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = (): void => {
    stream.off('drain', done).off('close', done);
    resolve();
  };
  stream.on('drain', done).on('close', done);
  return promise;
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
