import type { z } from 'zod';
import { type AgentErrorCode, MAX_FRAME_BYTES } from '../../contracts/agent.ts';
import {
  AGENT_METHODS,
  agentMessageSchema,
  type AgentEvent,
  type AgentMethod,
  type AgentParams,
  type AgentResult,
  type AgentWelcome,
} from '../../contracts/agent-messages.ts';
import { AppError } from '../../core/app-error.ts';
import type { AgentSession } from '../../core/vms/agent.ts';
import type { AgentWire } from './agent-wire.ts';
import { readAnswer } from './answer.ts';
import { parseFrame } from './frame-json.ts';
import type { FramePiece } from './frame-splitter.ts';
import { RequestTable } from './request-table.ts';

/** Frames that break the protocol, after which an agent is not listened to any longer; a sound one sends none. */
const MAX_BROKEN_FRAMES = 100;

/** Another process than the one that welcomed us answers, or one that has dropped what we did not read. */
const NO_SESSION: AgentErrorCode = 'no-session';

/** What this build knows how to read; a newer agent may tell more, which is its right. */
const KNOWN_EVENTS: Readonly<Record<AgentEvent['event'], true>> = { stage: true, ready: true, ports: true };

/** A session from its welcome on. The agent is not trusted: what it sends is checked, counted and bounded. */
export class FramedAgentSession implements AgentSession {
  readonly welcome: AgentWelcome;
  readonly closed: Promise<string>;
  readonly #wire: AgentWire;
  readonly #requests = new RequestTable();
  readonly #listeners = new Set<{ readonly tell: (event: AgentEvent) => void }>();
  #brokenFrames = 0;

  /** @param wire has been welcomed, and is held. */
  constructor(wire: AgentWire, welcome: AgentWelcome) {
    this.#wire = wire;
    this.welcome = welcome;
    this.closed = wire.ended.then((reason) => {
      this.#requests.rejectAll(reason);
      return reason.message;
    });
    wire.onRoom(() => this.#sendWaiting());
    // Not before whoever waits for this session has had it in his hands: an event may have come with the welcome.
    setImmediate(() => wire.readWith((piece) => this.#take(piece)));
  }

  async request<Method extends AgentMethod>(
    method: Method,
    params: AgentParams<Method>,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<AgentResult<Method>> {
    const { timeoutMs, signal } = options;
    signal?.throwIfAborted();
    if (this.#wire.reason) throw this.#wire.reason;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const request = { method, params: checkedParams(method, params), resolve, reject };
    if (!this.#requests.add(request)) {
      throw new AppError(
        'AGENT_UNREACHABLE',
        `The agent in the guest does not keep up: ${method} would wait too long.`,
      );
    }
    const giveUp = (reason: unknown): void => {
      reject(reason);
      if (!this.#requests.giveUp(request)) return;
      // A new session begins with none of them.
      this.#wire.end(
        new AppError('AGENT_UNREACHABLE', 'The agent in the guest leaves its requests without an answer.'),
      );
    };
    const timer = setTimeout(() => {
      const words = `The agent in the guest did not answer ${method} within ${timeoutMs} ms.`;
      giveUp(new AppError('AGENT_UNREACHABLE', words, { details: { method, timeoutMs } }));
    }, timeoutMs);
    const onAbort = (): void => giveUp(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#sendWaiting();
    try {
      return (await promise) as AgentResult<Method>;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    }
  }

  subscribe(listener: (event: AgentEvent) => void): () => void {
    const entry = { tell: listener };
    this.#listeners.add(entry);
    return () => void this.#listeners.delete(entry);
  }

  close(): void {
    this.#wire.end(new AppError('AGENT_UNREACHABLE', 'The session with the agent was let go.'));
  }

  #sendWaiting(): void {
    while (!this.#wire.reason && this.#wire.hasRoom) {
      const next = this.#requests.next();
      if (!next) return;
      const { method, params } = next.request;
      this.#wire.send({ type: 'request', id: next.id, method, params });
    }
  }

  #take(piece: FramePiece): void {
    if (piece.kind === 'overlong') {
      this.#fail(`The agent in the guest sent a line of more than ${MAX_FRAME_BYTES} bytes.`);
      return;
    }
    // It ends what an older session left half said.
    if (piece.bytes.length === 0) return;
    const frame = parseFrame(piece.bytes);
    if (frame?.['type'] === 'event') this.#tell(frame);
    else if (frame?.['type'] === 'hail') this.#wire.end(startedAnew());
    else if (frame?.['type'] === 'reply' || frame?.['type'] === 'error') this.#answer(frame);
    else this.#countBroken();
  }

  #tell(frame: Readonly<Record<string, unknown>>): void {
    const kind = frame['event'];
    if (typeof kind === 'string' && !Object.hasOwn(KNOWN_EVENTS, kind)) return;
    const { data: event } = agentMessageSchema.safeParse(frame);
    if (event?.type !== 'event') {
      this.#countBroken();
      return;
    }
    for (const { tell } of [...this.#listeners]) tell(event);
  }

  #answer(frame: Readonly<Record<string, unknown>>): void {
    // Before anything of it is checked: what nobody asked for must not cost much.
    const request = this.#requests.answered(frame['id']);
    if (request === undefined) {
      this.#countBroken();
      return;
    }
    if (frame['type'] === 'error' && frame['code'] === NO_SESSION) {
      const reason = new AppError(
        'AGENT_UNREACHABLE',
        'The agent in the guest has forgotten us and must be greeted again.',
      );
      if (request !== 'late') request.reject(reason);
      this.#wire.end(reason);
      return;
    }
    this.#sendWaiting();
    if (request === 'late') return;
    const answer = readAnswer(request.method, frame);
    if (answer.kind === 'result') request.resolve(answer.result);
    else request.reject(answer.error);
    if (answer.kind === 'unreadable') this.#countBroken();
  }

  #countBroken(): void {
    this.#brokenFrames += 1;
    if (this.#brokenFrames < MAX_BROKEN_FRAMES) return;
    this.#fail(`The agent in the guest sent ${MAX_BROKEN_FRAMES} frames that break the protocol.`);
  }

  #fail(message: string): void {
    this.#wire.end(new AppError('AGENT_FAILED', message));
  }
}

function startedAnew(): AppError {
  return new AppError('AGENT_UNREACHABLE', 'The agent in the guest was started anew.');
}

/** What is not as the protocol has it is our own fault; it must not go out, for its length is not bounded then. */
function checkedParams(method: AgentMethod, params: unknown): Record<string, unknown> {
  const schema: z.ZodType<Record<string, unknown>> = AGENT_METHODS[method].params;
  const { data, error } = schema.safeParse(params);
  if (data) return data;
  throw new AppError('INTERNAL', `The agent's method ${method} cannot take what it was given: ${error.message}`);
}
