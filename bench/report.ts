/** From series to the table a person reads and the record that is kept. Pure. */
import { tableLines } from '../src/cli/table.ts';
import type { Series, Skip } from './figure.ts';
import { type Comparison, compare, judge, median, type Spread, spreadOf, type Verdict } from './statistics.ts';

/** The figures as they are kept; a change of their meaning takes another number. */
export const RECORD_FORMAT = 1;

export interface Judged extends Comparison {
  readonly series: Series;
  /** What the goal speaks of: the ratio, or banger's own value. */
  readonly value: number;
  readonly valueSpread: Spread;
  readonly verdict: Verdict;
}

/** @throws RangeError where the series is empty, or its sides are not equally many. */
export function judgeSeries(series: Series): Judged {
  const comparison = compare(series.banger, series.byHand);
  const ofRatio = series.goal.of === 'ratio';
  const value = ofRatio ? comparison.ratio : median(series.banger);
  const valueSpread = ofRatio ? comparison.spread : spreadOf(series.banger);
  const verdict = judge(value, { goal: series.goal.atMost, spread: valueSpread, decimals: ofRatio ? 2 : 1 });
  return { ...comparison, series, value, valueSpread, verdict };
}

/** `11.24 s`, `173.1 ms`, `84.4 MB`. */
export function formatAmount(amount: number, unit: Series['unit']): string {
  if (unit === 'MB') return `${amount.toFixed(1)} MB`;
  return amount >= 1000 ? `${(amount / 1000).toFixed(2)} s` : `${amount.toFixed(1)} ms`;
}

/** @returns the lines of the table, and one for what was skipped. */
export function reportLines(parts: readonly (Series | Skip)[]): readonly string[] {
  const judged = parts.filter((part) => 'unit' in part).map(judgeSeries);
  const columns = [
    { title: 'figure' },
    { title: 'runs', align: 'right' },
    { title: 'banger', align: 'right' },
    { title: 'by hand', align: 'right' },
    { title: 'ratio', align: 'right' },
    { title: 'spread', align: 'right' },
    { title: 'goal', align: 'right' },
    { title: '' },
    { title: 'by hand it is' },
  ] as const;
  const skips = parts.filter((part) => 'skipped' in part);
  return [
    ...(judged.length > 0 ? tableLines(columns, judged.map(row), Infinity) : []),
    ...skips.map(({ title, skipped }) => `${title}: skipped: ${skipped}`),
  ];
}

function row({ series, ours, theirs, ratio, valueSpread, verdict }: Judged): readonly string[] {
  const { title, unit, goal, against } = series;
  const decimals = goal.of === 'ratio' ? 2 : 1;
  return [
    title,
    String(series.banger.length),
    formatAmount(ours, unit),
    formatAmount(theirs, unit),
    ratio.toFixed(2),
    `${valueSpread.low.toFixed(decimals)}..${valueSpread.high.toFixed(decimals)}`,
    goal.of === 'ratio' ? goal.atMost.toFixed(2) : formatAmount(goal.atMost, unit),
    verdict,
    against,
  ];
}

/** A series as it is kept: every sample, so that a later comparison need not trust today's statistics. */
export function recordOf(part: Series | Skip): object {
  if ('skipped' in part) return part;
  const { series, ours, theirs, ratio, spread, verdict } = judgeSeries(part);
  return { ...series, median: { banger: ours, byHand: theirs }, ratio, ratioSpread: spread, verdict };
}
