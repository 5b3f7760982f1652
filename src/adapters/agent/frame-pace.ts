/** Frames that a guest may send for long; an honest one sends a few a minute, and a reply to each request. */
const FRAMES_PER_SECOND = 1_000;
/** About 40 full lists of ports, the most costly message to check: half a millisecond each. */
const BYTES_PER_SECOND = 1024 * 1024;
/** What may come at once, as the time it takes at the pace above. */
const BURST_MS = 1_000;

/**
 * How fast a guest's frames are read. One that sends more is read more slowly, and not cut off: the stream's flow
 * control makes it wait at its own end, so a burst of an honest guest loses nothing, and a hostile guest slows down its
 * own answers and nobody else's. Whoever is cut off would be greeted again, which costs more than to let him wait.
 */
export class FramePace {
  /** Time that all that came takes at the steady pace, less the time that has passed. */
  #debtMs = 0;
  #chargedAtMs = -Infinity;

  /**
   * @param nowMs of a clock that never goes back.
   * @returns how long to read nothing after this frame; 0 most of the time.
   */
  charge(sizeBytes: number, nowMs: number): number {
    const passedMs = nowMs - this.#chargedAtMs;
    this.#debtMs = Math.max(0, this.#debtMs - passedMs);
    this.#debtMs += 1000 / FRAMES_PER_SECOND + (sizeBytes * 1000) / BYTES_PER_SECOND;
    this.#chargedAtMs = nowMs;
    // One long pause instead of one after each frame.
    return this.#debtMs > BURST_MS ? this.#debtMs - BURST_MS / 2 : 0;
  }
}
