/** The newest entries of an endless numbered sequence, and a way to wait for the next. */

export interface Numbered<T> {
  readonly sequence: number;
  readonly value: T;
}

/**
 * Readers keep their own place and take what they want when they can: however slow a reader is, it holds nothing
 * here, and learns by `after` that it has fallen too far behind.
 */
export class NumberedFeed<T> {
  readonly #capacity: number;
  #entries: Numbered<T>[] = [];
  #lastSequence: number;
  #closed = false;
  #wakers = new Set<() => void>();

  /**
   * @param capacity entries that are held.
   * @param lastSequence number of the entry before the first.
   */
  constructor(capacity: number, lastSequence = 0) {
    this.#capacity = capacity;
    this.#lastSequence = lastSequence;
  }

  get lastSequence(): number {
    return this.#lastSequence;
  }

  /** True once no entry will follow. */
  get closed(): boolean {
    return this.#closed;
  }

  /** @returns the entry's number. */
  append(value: T): number {
    this.#lastSequence += 1;
    this.#entries.push({ sequence: this.#lastSequence, value });
    // Cut at twice the size, so that an append costs no copy of the whole.
    if (this.#entries.length >= 2 * this.#capacity) this.#entries = this.#entries.slice(-this.#capacity);
    this.#wake();
    return this.#lastSequence;
  }

  close(): void {
    this.#closed = true;
    this.#wake();
  }

  /** @returns everything later than `after`; undefined where some of it is no longer held. */
  after(after: number): readonly Numbered<T>[] | undefined {
    if (after >= this.#lastSequence) return [];
    const first = this.#entries[0]?.sequence;
    if (first === undefined || after < first - 1) return undefined;
    return this.#entries.slice(after - first + 1);
  }

  /** Everything that is held. */
  held(): readonly Numbered<T>[] {
    return this.#entries.slice();
  }

  /** Settles once there is something later than `after`, the feed is closed, or `signal` is aborted. */
  async changed(after: number, signal: AbortSignal): Promise<void> {
    if (this.#lastSequence > after || this.#closed || signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wakers.add(resolve);
    const onAbort = (): void => resolve();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await promise;
    } finally {
      this.#wakers.delete(resolve);
      signal.removeEventListener('abort', onAbort);
    }
  }

  #wake(): void {
    const wakers = this.#wakers;
    this.#wakers = new Set();
    for (const wake of wakers) wake();
  }
}
