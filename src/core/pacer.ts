/** Has work done soon after it is asked for, and not more often than every so many `ms`, however often that is. */
export class Pacer {
  readonly #work: () => void;
  readonly #intervalMs: number;
  #lastAt = -Infinity;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(work: () => void, intervalMs: number) {
    this.#work = work;
    this.#intervalMs = intervalMs;
  }

  /** Never at once: whoever asks may be in the middle of a change. */
  ask(): void {
    if (this.#isClosed) return;
    const waitMs = Math.max(0, this.#lastAt + this.#intervalMs - performance.now());
    this.#timer ??= setTimeout(() => this.doNow(), waitMs);
  }

  doNow(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#isClosed) return;
    this.#lastAt = performance.now();
    this.#work();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }
}
