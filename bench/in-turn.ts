import type { RunPlan } from './figure.ts';

/** Does the work once. @returns what was measured; what it puts back afterwards is not part of that. */
export type Side = (signal: AbortSignal) => Promise<number>;

export interface Samples {
  readonly banger: readonly number[];
  readonly byHand: readonly number[];
}

/**
 * Runs both sides in turn, A B A B: what else the machine does meanwhile meets both alike. Each side has one run
 * before those that count, where `warmUp` says so.
 *
 * @returns fewer runs than planned where the time was up, but one of each at least.
 * @throws what a side throws; the signal's reason where it is aborted before the first pair is whole.
 */
export async function inTurn(
  sides: { readonly banger: Side; readonly byHand: Side },
  plan: RunPlan & { readonly warmUp?: boolean },
  onPair: (pair: { readonly number: number; readonly banger: number; readonly byHand: number }) => void,
): Promise<Samples> {
  const { runs, deadlineMs, signal } = plan;
  const banger: number[] = [];
  const byHand: number[] = [];
  if (plan.warmUp) {
    await sides.banger(signal);
    await sides.byHand(signal);
  }
  let longestMs = 0;
  while (banger.length < runs && (banger.length === 0 || performance.now() + longestMs < deadlineMs)) {
    const startedMs = performance.now();
    const ours = await sides.banger(signal);
    const theirs = await sides.byHand(signal);
    banger.push(ours);
    byHand.push(theirs);
    onPair({ number: banger.length, banger: ours, byHand: theirs });
    longestMs = Math.max(longestMs, performance.now() - startedMs);
  }
  return { banger, byHand };
}

/** How long something takes, `ms`. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}
