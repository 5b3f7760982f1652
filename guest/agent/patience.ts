import type { Sys } from './sys.ts';

/** How often to look while a guest boots: every moment counts, for those who wait and for the boot itself. */
const SHORTEST_INTERVAL_MS = 20;
const LONGEST_INTERVAL_MS = 200;
/** Between two looks passes so many times the processor time that one takes; in software emulation that is a millisecond. */
const INTERVAL_PER_COST = 30;
/** A guest in software emulation on a busy host boots this long. */
const BUSY_FOR_MS = 120_000;
const LATER_INTERVAL_MS = 5_000;

/** `soon`: look again in a moment; `later`: nothing urgent is missing; `done`. */
export type Outcome = 'soon' | 'later' | 'done';

/**
 * Looks again and again, often at first and rarely later, until `look` says that it is done.
 *
 * @param giveUp after how long no more is looked, `ms`; never where left out.
 */
export function lookUntil(sys: Sys, look: () => Outcome, giveUp?: { readonly afterMs: number; run(): void }): void {
  const startedMs = sys.bootTimeMs();
  let cpuMs = sys.cpuTimeMs();
  const again = (): void => {
    const outcome = look();
    if (outcome === 'done') return;
    const elapsedMs = sys.bootTimeMs() - startedMs;
    if (giveUp && elapsedMs >= giveUp.afterMs) return giveUp.run();
    // What it took to be woken up counts too.
    const costMs = sys.cpuTimeMs() - cpuMs;
    cpuMs += costMs;
    sys.after(outcome === 'soon' && elapsedMs < BUSY_FOR_MS ? intervalMs(costMs) : LATER_INTERVAL_MS, again);
  };
  // Not at once: who has just started says hello first.
  sys.after(SHORTEST_INTERVAL_MS, again);
}

function intervalMs(costMs: number): number {
  return Math.min(LONGEST_INTERVAL_MS, Math.max(SHORTEST_INTERVAL_MS, Math.round(costMs * INTERVAL_PER_COST)));
}
