import type { ResourceEvent } from '../../contracts/event.ts';
import { AppError } from '../app-error.ts';
import { NumberedFeed } from './numbered-feed.ts';

/** Changes that are held for clients that come back. */
const CAPACITY = 1_000;

export interface NumberedResourceEvent {
  readonly sequence: number;
  readonly event: ResourceEvent;
}

/** Every change of an image, a VM or an operation, told to whoever listens. */
export class EventBus {
  readonly #now: () => Date;
  readonly #feed: NumberedFeed<ResourceEvent>;

  /**
   * Numbers begin at the time of start in microseconds, so that they grow across restarts of the daemon too: a
   * client that comes back with an old number misses nothing of the new daemon's.
   */
  constructor(now: () => Date) {
    this.#now = now;
    this.#feed = new NumberedFeed(CAPACITY, now().getTime() * 1000);
  }

  publish(change: Omit<ResourceEvent, 'at'>): void {
    this.#feed.append({ at: this.#now().toISOString(), ...change });
  }

  /**
   * Changes as they happen, until `signal` is aborted.
   *
   * @param after number of the last change that the listener knows; undefined: only what happens from now on. Where
   * it lies before what is held, the oldest that is held comes first: the gap shows in the numbers.
   * @throws AppError EVENTS_MISSED from the iteration where the listener is so slow that it would miss changes.
   */
  listen(after: number | undefined, signal: AbortSignal): AsyncIterable<NumberedResourceEvent> {
    // The place is taken now, not when the iteration begins: nothing in between is missed.
    const feed = this.#feed;
    const known = after === undefined ? feed.lastSequence : Math.min(after, feed.lastSequence);
    const oldest = feed.held()[0]?.sequence;
    const place = oldest === undefined ? known : Math.max(known, oldest - 1);
    return follow(feed, place, signal);
  }
}

async function* follow(
  feed: NumberedFeed<ResourceEvent>,
  place: number,
  signal: AbortSignal,
): AsyncGenerator<NumberedResourceEvent, void, undefined> {
  let last = place;
  while (!signal.aborted) {
    const entries = feed.after(last);
    if (entries === undefined) {
      throw new AppError('EVENTS_MISSED', `The listener fell more than ${CAPACITY} events behind`);
    }
    for (const { sequence, value } of entries) {
      if (signal.aborted) return;
      yield { sequence, event: value };
      last = sequence;
    }
    await feed.changed(last, signal);
  }
}
