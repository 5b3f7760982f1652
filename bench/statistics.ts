/** From samples to a figure: medians, the spread of their ratios, and whether a goal is met. Pure. */

export interface Spread {
  /** Lower and upper quartile. */
  readonly low: number;
  readonly high: number;
}

export interface Comparison {
  readonly ours: number;
  readonly theirs: number;
  /** Median of ours divided by the median of theirs. */
  readonly ratio: number;
  /** Of the ratios run by run: what a change of the machine's load in the middle does to both sides cancels out. */
  readonly spread: Spread;
}

/** `undecided`: the median misses the goal, but the goal lies within the spread. */
export type Verdict = 'met' | 'undecided' | 'missed';

/** @throws RangeError where there are no values. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/**
 * By linear interpolation between the two nearest values, as spreadsheets do it.
 *
 * @param fraction from 0, the smallest value, to 1, the largest.
 * @throws RangeError where there are no values.
 */
export function quantile(values: readonly number[], fraction: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const place = (sorted.length - 1) * fraction;
  const below = sorted[Math.floor(place)];
  const above = sorted[Math.ceil(place)];
  if (below === undefined || above === undefined) throw new RangeError('There is no quantile of no values.');
  return below + (above - below) * (place - Math.floor(place));
}

export function spreadOf(values: readonly number[]): Spread {
  return { low: quantile(values, 0.25), high: quantile(values, 0.75) };
}

/**
 * @param ours and `theirs`: samples taken in turn, so that those of one index belong together.
 * @throws RangeError where they are not equally many, or none.
 */
export function compare(ours: readonly number[], theirs: readonly number[]): Comparison {
  if (ours.length !== theirs.length) throw new RangeError('Samples that were taken in turn are equally many.');
  const ratios = ours.map((value, index) => value / (theirs[index] ?? Number.NaN));
  const [ourMedian, theirMedian] = [median(ours), median(theirs)];
  return { ours: ourMedian, theirs: theirMedian, ratio: ourMedian / theirMedian, spread: spreadOf(ratios) };
}

/** Judged as it is printed: a value that rounds to the goal meets it. */
export function judge(
  value: number,
  { goal, spread, decimals }: { readonly goal: number; readonly spread: Spread; readonly decimals: number },
): Verdict {
  const round = (number: number): number => Number(number.toFixed(decimals));
  if (round(value) <= goal) return 'met';
  return round(spread.low) <= goal ? 'undecided' : 'missed';
}
