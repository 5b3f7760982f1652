import {
  type AgentEvent,
  type AgentMethod,
  type AgentParams,
  type AgentPorts,
  type AgentResult,
  type AgentWelcome,
} from '../../contracts/agent-messages.ts';
import { AGENT_STAGES, type AgentStage } from '../../contracts/agent.ts';
import { AppError, describe } from '../app-error.ts';
import { orAborted } from '../operations/or-aborted.ts';
import { pause } from '../pause.ts';
import type { AgentConnector, AgentSession } from './agent.ts';
import type { RunningMachine } from './engine.ts';

/** Before a conversation is begun again, by how often it has just failed. An agent that was started anew is greeted at once. */
const AGAIN_AFTER_MS = [0, 0, 1_000, 5_000, 15_000] as const;
const LONGEST_PAUSE_MS = 60_000;
/** A conversation that lasted so long did not fail: the next one is begun at once. */
const LASTED_MS = 30_000;
const WATCH_TIMEOUT_MS = 60_000;

export interface AgentLinkOptions {
  readonly connector: AgentConnector;
  /** Of a conversation that ended though its guest runs; a line for the log. */
  readonly log: (line: string) => void;
}

type PortsListener = (ports: AgentPorts) => void;

/**
 * The way to the agent of one running machine, for as long as the machine runs: greets it, greets it again where it was
 * started anew or went wrong, and remembers how far the guest has come.
 */
export class AgentLink {
  readonly #machine: Pick<RunningMachine, 'openAgentStream' | 'exited'>;
  readonly #options: AgentLinkOptions;
  readonly #ended = new AbortController();
  readonly #reached = new Map(AGENT_STAGES.map((stage) => [stage, Promise.withResolvers<number>()]));
  readonly #portsListeners = new Set<PortsListener>();
  #session: AgentSession | undefined;

  /** Begins at once. It ends with the machine, or by `close`. */
  constructor(machine: Pick<RunningMachine, 'openAgentStream' | 'exited'>, options: AgentLinkOptions) {
    this.#machine = machine;
    this.#options = options;
    void machine.exited.then(() => this.close());
    void this.#converse();
  }

  /** What the agent said of itself; undefined while none answers. */
  get welcome(): AgentWelcome | undefined {
    return this.#session?.welcome;
  }

  /**
   * Waits until the agent has told that the guest has come so far.
   *
   * @returns when that was, `ms` since the guest's boot.
   * @throws the signal's reason where it is aborted: an agent that is not there says nothing for ever.
   */
  reached(stage: AgentStage, signal: AbortSignal): Promise<number> {
    const { promise } = this.#reached.get(stage) ?? Promise.withResolvers<number>();
    return orAborted(promise, signal);
  }

  /** @throws AppError AGENT_UNREACHABLE where no agent answers now; as AgentSession.request. */
  async request<Method extends AgentMethod>(
    method: Method,
    params: AgentParams<Method>,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<AgentResult<Method>> {
    if (!this.#session) throw new AppError('AGENT_UNREACHABLE', 'The guest has no agent that answers now.');
    return this.#session.request(method, params, options);
  }

  /**
   * Tells what listens in the guest: soon, and after each change, also by an agent that was started anew. Where no agent
   * answers any more, nothing listens as far as anybody knows, and that is told.
   *
   * @returns what ends that.
   */
  watchPorts(listener: PortsListener): () => void {
    this.#portsListeners.add(listener);
    if (this.#session) this.#askForPorts(this.#session);
    return () => void this.#portsListeners.delete(listener);
  }

  /** Lets go of the agent; its guest runs on. */
  close(): void {
    this.#ended.abort();
    this.#session?.close();
  }

  async #converse(): Promise<void> {
    const { signal } = this.#ended;
    for (let failures = 0; !signal.aborted; failures += 1) {
      try {
        await pause(AGAIN_AFTER_MS[failures] ?? LONGEST_PAUSE_MS, signal);
        const stream = await this.#machine.openAgentStream(signal);
        if (!stream) return;
        const session = await this.#options.connector.connect(stream, signal);
        const begunAt = performance.now();
        const why = await this.#hold(session);
        if (performance.now() - begunAt > LASTED_MS) failures = -1;
        if (!signal.aborted) this.#options.log(`The conversation with the agent ended: ${why}`);
      } catch (error) {
        if (!signal.aborted) this.#options.log(`The agent cannot be talked to: ${describe(error)}`);
      }
    }
  }

  /** @returns why the session ended. */
  async #hold(session: AgentSession): Promise<string> {
    this.#session = session;
    const unsubscribe = session.subscribe((event) => this.#take(event));
    this.#takeStages(session.welcome.stages);
    if (this.#portsListeners.size > 0) this.#askForPorts(session);
    try {
      return await session.closed;
    } finally {
      unsubscribe();
      this.#session = undefined;
      this.#tellPorts({ listening: [], truncated: false });
    }
  }

  #take(event: AgentEvent): void {
    switch (event.event) {
      case 'stage':
        this.#takeStages({ [event.stage]: event.sinceBootMs });
        break;
      case 'ready':
        this.#takeStages(event.stages);
        break;
      case 'ports':
        this.#tellPorts(event.ports);
        break;
    }
  }

  #takeStages(stages: Partial<Record<AgentStage, number | undefined>>): void {
    for (const [stage, { resolve }] of this.#reached) {
      const sinceBootMs = stages[stage];
      if (sinceBootMs !== undefined) resolve(sinceBootMs);
    }
  }

  #askForPorts(session: AgentSession): void {
    session.request('watchPorts', { enabled: true }, { timeoutMs: WATCH_TIMEOUT_MS }).catch((error: unknown) => {
      this.#options.log(`The agent does not tell what listens: ${describe(error)}`);
    });
  }

  #tellPorts(ports: AgentPorts): void {
    for (const listener of this.#portsListeners) listener(ports);
  }
}
