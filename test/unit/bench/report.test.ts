import { describe, expect, test } from 'vitest';
import type { Series } from '../../../bench/figure.ts';
import { formatAmount, judgeSeries, recordOf, reportLines } from '../../../bench/report.ts';

const START: Series = {
  title: 'vm start to ssh',
  unit: 'ms',
  goal: { of: 'ratio', atMost: 1.05 },
  banger: [11_400, 11_300, 11_500],
  byHand: [11_000, 11_000, 11_000],
  against: 'qemu by hand',
};
const MEMORY: Series = {
  title: 'daemon memory',
  unit: 'MB',
  goal: { of: 'value', atMost: 80 },
  banger: [84.4, 84.6, 84.5],
  byHand: [43.7, 43.7, 43.7],
  against: 'a Node that does nothing',
};

describe('judgeSeries', () => {
  test('a goal of the ratio', () => {
    expect(judgeSeries(START)).toMatchObject({ ours: 11_400, theirs: 11_000, verdict: 'met' });
  });

  test('a goal of the value itself: the ratio to the other side plays no part', () => {
    expect(judgeSeries(MEMORY)).toMatchObject({ value: 84.5, valueSpread: { low: 84.45, high: 84.55 } });
    expect(judgeSeries(MEMORY).verdict).toBe('missed');
    expect(judgeSeries({ ...MEMORY, banger: [79, 80.04, 99] }).verdict).toBe('met');
  });
});

test.each([
  [8.04, 'ms', '8.0 ms'],
  [999.94, 'ms', '999.9 ms'],
  [1000, 'ms', '1.00 s'],
  [93_920, 'ms', '93.92 s'],
  [84.44, 'MB', '84.4 MB'],
] as const)('%d %s is shown as %s', (amount, unit, expected) => {
  expect(formatAmount(amount, unit)).toBe(expected);
});

describe('reportLines', () => {
  test('a table, and what was skipped with its reason', () => {
    expect(reportLines([START, MEMORY, { title: 'reflink', skipped: 'mkfs.xfs is missing' }])).toEqual([
      'figure           runs   banger  by hand  ratio      spread     goal          by hand it is',
      'vm start to ssh     3  11.40 s  11.00 s   1.04  1.03..1.04     1.05  met     qemu by hand',
      'daemon memory       3  84.5 MB  43.7 MB   1.93  84.5..84.5  80.0 MB  missed  a Node that does nothing',
      'reflink: skipped: mkfs.xfs is missing',
    ]);
  });

  test('no empty table where everything was skipped', () => {
    expect(reportLines([{ title: 'reflink', skipped: 'why' }])).toEqual(['reflink: skipped: why']);
  });
});

test('what is kept has every sample, and survives JSON', () => {
  const record: unknown = JSON.parse(JSON.stringify(recordOf(START)));
  expect(record).toMatchObject({
    title: 'vm start to ssh',
    goal: { of: 'ratio', atMost: 1.05 },
    banger: START.banger,
    byHand: START.byHand,
    median: { banger: 11_400, byHand: 11_000 },
    verdict: 'met',
  });
  expect(recordOf({ title: 'x', skipped: 'why' })).toEqual({ title: 'x', skipped: 'why' });
});
