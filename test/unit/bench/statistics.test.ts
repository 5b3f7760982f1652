import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compare, judge, median, quantile, spreadOf } from '../../../bench/statistics.ts';

const samples = fc.array(fc.double({ min: 0.001, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 60 });

describe('median', () => {
  test.each([
    [[7], 7],
    [[3, 1, 2], 2],
    [[4, 1, 3, 2], 2.5],
    [[10, 9, 8, 7, 1000], 9],
  ])('of %j is %d', (values, expected) => {
    expect(median(values)).toBe(expected);
  });

  test('leaves the samples in the order they were taken', () => {
    const values = [3, 1, 2];
    median(values);
    expect(values).toEqual([3, 1, 2]);
  });

  test('there is none of nothing', () => {
    expect(() => median([])).toThrow(RangeError);
  });

  test('half of the samples lie on each side, whatever they are', () => {
    fc.assert(
      fc.property(samples, (values) => {
        const middle = median(values);
        expect(values.filter((value) => value < middle).length).toBeLessThanOrEqual(values.length / 2);
        expect(values.filter((value) => value > middle).length).toBeLessThanOrEqual(values.length / 2);
      }),
    );
  });
});

describe('quantile', () => {
  test.each([
    [0, 10],
    [0.25, 20],
    [0.5, 30],
    [0.75, 40],
    [0.9, 46],
    [1, 50],
  ])('%d of 10, 20, 30, 40, 50 is %d', (fraction, expected) => {
    expect(quantile([50, 10, 40, 20, 30], fraction)).toBeCloseTo(expected, 10);
  });

  test('never leaves the range of the samples, and grows with its fraction', () => {
    fc.assert(
      fc.property(
        samples,
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (values, one, other) => {
          const low = quantile(values, Math.min(one, other));
          const high = quantile(values, Math.max(one, other));
          expect(low).toBeGreaterThanOrEqual(Math.min(...values));
          expect(high).toBeLessThanOrEqual(Math.max(...values));
          expect(high - low).toBeGreaterThanOrEqual(-1e-9 * high);
        },
      ),
    );
  });
});

describe('compare', () => {
  test('the ratio is that of the medians; the spread that of the ratios run by run', () => {
    expect(compare([10, 12, 14, 16, 18], [10, 10, 10, 10, 10])).toEqual({
      ours: 14,
      theirs: 10,
      ratio: 1.4,
      spread: { low: 1.2, high: 1.6 },
    });
  });

  test('a machine that becomes twice as slow in the middle does not widen the spread', () => {
    const { spread } = compare([11, 11, 22, 22], [10, 10, 20, 20]);
    expect(spread).toEqual({ low: 1.1, high: 1.1 });
  });

  test('sides that were not taken in turn are refused', () => {
    expect(() => compare([1, 2], [1])).toThrow(RangeError);
    expect(() => compare([], [])).toThrow(RangeError);
  });
});

describe('judge', () => {
  test.each([
    ['met', 1.04, { low: 1.0, high: 1.2 }, 1.05],
    ['met at the goal', 1.05, { low: 1.0, high: 1.2 }, 1.05],
    ['met where it is printed as the goal', 1.0549, { low: 1.051, high: 1.06 }, 1.05],
    ['undecided', 1.07, { low: 1.03, high: 1.1 }, 1.05],
    ['missed', 1.07, { low: 1.06, high: 1.1 }, 1.05],
  ])('%s: %d with %j for %d', (expected, value, spread, goal) => {
    expect(judge(value, { goal, spread, decimals: 2 })).toBe(expected.split(' ')[0]);
  });

  test('a single run decides', () => {
    expect(judge(1.06, { goal: 1.05, spread: spreadOf([1.06]), decimals: 2 })).toBe('missed');
  });
});
