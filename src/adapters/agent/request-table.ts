import { MAX_OPEN_REQUESTS } from '../../contracts/agent.ts';
import type { AgentMethod } from '../../contracts/agent-messages.ts';

/** Requests that wait for their turn. */
const MAX_WAITING_REQUESTS = 256;
const LAST_ID = 0xffff_ffff;

export interface PendingRequest {
  readonly method: AgentMethod;
  readonly params: Record<string, unknown>;
  readonly resolve: (result: unknown) => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * The requests of one session, in order. A request that nobody waits for any more keeps its number until the agent has
 * answered it: the agent still works on it, and would answer `busy` to one more than it can take.
 */
export class RequestTable {
  readonly #waiting = new Set<PendingRequest>();
  readonly #open = new Map<number, PendingRequest>();
  /** Of the open ones, those that somebody waits for. */
  readonly #awaited = new Set<PendingRequest>();
  #lastId: number;

  /** @param lastId number before the first one. */
  constructor(lastId = 0) {
    this.#lastId = lastId;
  }

  /** @returns false where too many wait already. */
  add(request: PendingRequest): boolean {
    if (this.#waiting.size >= MAX_WAITING_REQUESTS) return false;
    this.#waiting.add(request);
    return true;
  }

  /** The next one whose turn it is, with its number; undefined where nobody waits or the agent has enough to do. */
  next(): { readonly id: number; readonly request: PendingRequest } | undefined {
    const [request] = this.#waiting;
    if (!request || this.#open.size >= MAX_OPEN_REQUESTS) return undefined;
    this.#waiting.delete(request);
    do this.#lastId = this.#lastId === LAST_ID ? 1 : this.#lastId + 1;
    while (this.#open.has(this.#lastId));
    this.#open.set(this.#lastId, request);
    this.#awaited.add(request);
    return { id: this.#lastId, request };
  }

  /**
   * Nobody waits for it any more.
   *
   * @returns whether that is true of as many as the agent takes: none could be sent then.
   */
  giveUp(request: PendingRequest): boolean {
    this.#waiting.delete(request);
    this.#awaited.delete(request);
    return this.#open.size - this.#awaited.size >= MAX_OPEN_REQUESTS;
  }

  /** The agent has answered. @returns undefined where no request has this number; `late` where nobody waits for it. */
  answered(id: unknown): PendingRequest | 'late' | undefined {
    const request = this.#open.get(id as number);
    if (!request) return undefined;
    this.#open.delete(id as number);
    return this.#awaited.delete(request) ? request : 'late';
  }

  rejectAll(reason: unknown): void {
    for (const { reject } of [...this.#open.values(), ...this.#waiting]) reject(reason);
    this.#open.clear();
    this.#waiting.clear();
    this.#awaited.clear();
  }
}
