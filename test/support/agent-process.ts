/** The real agent, started on this machine at a unix socket of the test's own, and a host to talk to it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, watch } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AGENT_METHODS,
  type AgentMessage,
  agentMessageSchema,
  type AgentMethod,
  type AgentParams,
  type AgentResult,
} from '../../src/contracts/agent-messages.ts';
import { agentFiles } from '../../src/host/paths.ts';
import { REPOSITORY_ROOT } from './source-tree.ts';

export const AGENT_PROGRAM = agentFiles(REPOSITORY_ROOT).program;
const SESSION = '4f1c2a9be07d5836';

export class AgentProcess implements AsyncDisposable {
  readonly dir: string;
  readonly #child: ChildProcess;

  private constructor(dir: string, child: ChildProcess) {
    this.dir = dir;
    this.#child = child;
  }

  /** @param around what to start the program with, given where it will listen. */
  static async start(around: (dir: string) => readonly string[] = () => []): Promise<AgentProcess> {
    const dir = await mkdtemp(join(tmpdir(), 'banger-agent-'));
    const seen = new AbortController();
    const appears = new Promise<void>((resolve) => {
      watch(dir, { signal: seen.signal }, () => existsSync(join(dir, 'agent.sock')) && resolve());
    });
    const [program, ...args] = [...around(dir), AGENT_PROGRAM, '--listen', `unix:${join(dir, 'agent.sock')}`];
    const child = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit'] });
    const ended = once(child, 'exit').then(([status]) => {
      throw new Error(`the agent ended with status ${String(status)} before it listened`);
    });
    try {
      await Promise.race([appears, ended]);
      ended.catch(() => undefined);
      return new AgentProcess(dir, child);
    } finally {
      seen.abort();
    }
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Memory that is resident, `bytes`. */
  residentBytes(): number {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
  }

  /** Processor time it has used, `ms`. */
  cpuMs(): number {
    return Number(readFileSync(`/proc/${this.pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6;
  }

  async connect(): Promise<AgentHost> {
    const socket = connect(join(this.dir, 'agent.sock'));
    await once(socket, 'connect');
    return new AgentHost(socket);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.isRunning) {
      this.#child.kill('SIGKILL');
      await once(this.#child, 'exit');
    }
    await rm(this.dir, { recursive: true, force: true });
  }
}

/** A host at the other end; every frame that comes is checked. */
export class AgentHost implements Disposable {
  readonly socket: Socket;
  /** Settles when the agent ends the connection. */
  readonly closed: Promise<void>;
  readonly #waiting: { readonly wants: (message: AgentMessage) => boolean; readonly got: (m: AgentMessage) => void }[] =
    [];
  #messages: AgentMessage[] = [];
  #rest = '';
  #nextId = 1;

  constructor(socket: Socket) {
    this.socket = socket;
    // Not by `once` of events: an agent that closes with bytes unread resets the connection, and it would throw that.
    this.closed = new Promise((resolve) => void socket.once('close', () => resolve()));
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => this.#take(chunk.toString('utf8')));
  }

  /** Everything that came and nobody waited for. */
  taken(): AgentMessage[] {
    const messages = this.#messages;
    this.#messages = [];
    return messages;
  }

  write(bytes: string | Uint8Array): void {
    this.socket.write(bytes);
  }

  say(message: object): void {
    this.write(`${JSON.stringify(message)}\n`);
  }

  async hello(session = SESSION): Promise<AgentMessage> {
    this.write('\n');
    this.say({ type: 'hello', session, oldest: 1, newest: 1 });
    return this.next((message) => 'session' in message && message.session === session);
  }

  async next(wants: (message: AgentMessage) => boolean): Promise<AgentMessage> {
    return new Promise((got) => {
      this.#waiting.push({ wants, got });
    });
  }

  /** @throws Error where the agent answers with an error. */
  async request<Method extends AgentMethod>(method: Method, params: AgentParams<Method>): Promise<AgentResult<Method>> {
    const answer = await this.ask(method, params);
    if (answer.type !== 'reply') throw new Error(`${method}: ${JSON.stringify(answer)}`);
    return AGENT_METHODS[method].result.parse(answer.result) as AgentResult<Method>;
  }

  /** The reply or the error. */
  async ask(method: string, params: unknown): Promise<AgentMessage> {
    const id = this.#nextId;
    this.#nextId += 1;
    this.say({ type: 'request', id, method, params });
    return this.next((message) => 'id' in message && message.id === id);
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') continue;
      const message = agentMessageSchema.parse(JSON.parse(line));
      const at = this.#waiting.findIndex(({ wants }) => wants(message));
      if (at === -1) this.#messages.push(message);
      else this.#waiting.splice(at, 1)[0]?.got(message);
    }
  }
}
