/** What the domain needs of the agent in a guest. `adapters/agent` speaks its protocol; tests fake it. */
import type { Duplex } from 'node:stream';
import type {
  AgentEvent,
  AgentMethod,
  AgentParams,
  AgentResult,
  AgentWelcome,
} from '../../contracts/agent-messages.ts';

/** One conversation with the agent of a running guest; it ends with the stream. */
export interface AgentSession {
  /** What it said when the session began. */
  readonly welcome: AgentWelcome;
  /** Settles with the reason, in words, once the session is over, whoever ended it; never rejects. */
  readonly closed: Promise<string>;
  /**
   * @throws AppError AGENT_FAILED where the agent refuses, answers what cannot be read or breaks the protocol so often
   * that the session ends; AGENT_UNREACHABLE past the deadline, where the session ends otherwise or too many requests
   * wait; the signal's reason where it is aborted.
   */
  request<Method extends AgentMethod>(
    method: Method,
    params: AgentParams<Method>,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<AgentResult<Method>>;
  /** Calls `listener` for each event from now on. @returns what ends that. */
  subscribe(listener: (event: AgentEvent) => void): () => void;
  /** Lets go of the agent; its guest runs on. */
  close(): void;
}

export interface AgentConnector {
  /**
   * Greets the agent at the other end of a stream and waits for its welcome, which may come minutes later: the stream
   * is open before the guest has booted. Nothing is sent twice and nobody polls. Events that came along with the
   * welcome are told to whoever subscribes before he waits for anything else.
   *
   * @throws AppError AGENT_UNREACHABLE where the stream ends first, AGENT_FAILED where the agent knows no generation
   * that we know or breaks the protocol; the signal's reason where it is aborted. The stream is closed then.
   */
  connect(stream: Duplex, signal: AbortSignal): Promise<AgentSession>;
}
