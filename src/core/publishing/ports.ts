/** What the domain needs to publish guests on the host. `adapters/forwarder` implements it; tests fake it. */
import type { ForwarderReport } from '../../contracts/forwarder-report.ts';
import type { ForwardingOrder } from '../../contracts/forwarding.ts';

export type ForwarderState =
  /** Nothing is asked of it, and it takes next to no memory. */
  | { readonly kind: 'resting' }
  /** It was woken and has not reported yet. */
  | { readonly kind: 'waking' }
  | { readonly kind: 'reporting'; readonly report: ForwarderReport }
  /** It has crashed as often as it is replaced. */
  | { readonly kind: 'gone'; readonly reason: string };

/** The process in the host's own network that binds and answers what it is told to. */
export interface Forwarder {
  readonly state: ForwarderState;
  /** Everything that shall be from now on; wakes it where it rests. Returns at once. */
  order(order: ForwardingOrder): void;
  /** Nothing shall be any more. */
  rest(): void;
  /**
   * Waits until it has reported on an order of this revision, or a later one.
   *
   * @throws the signal's reason; AppError where it is gone.
   */
  reported(revision: number, signal: AbortSignal): Promise<void>;
  close(): void;
}
