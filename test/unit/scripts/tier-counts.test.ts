import { expect, test } from 'vitest';
import { type FileOutcome, type TierCounts, countTier } from '../../../scripts/tier-counts.ts';

function count(outcome: Partial<FileOutcome>): TierCounts {
  const counts: TierCounts = { files: 0, passed: 0, failed: 0, skips: [] };
  countTier(counts, { file: 'test/x.test.ts', errors: 0, suiteErrors: 0, tests: [], ...outcome });
  return counts;
}

const test1 = { name: 'a', note: undefined, expectedSkip: false };

test.each([
  ['a test that passed', { tests: [{ ...test1, state: 'passed' }] }, { passed: 1, failed: 0 }],
  ['a test that failed', { tests: [{ ...test1, state: 'failed' }] }, { passed: 0, failed: 1 }],
  ['a test that never ended', { tests: [{ ...test1, state: 'pending' }] }, { passed: 0, failed: 1 }],
  ['a file that could not be loaded', { errors: 1 }, { passed: 0, failed: 1 }],
  ['a suite whose hook failed', { suiteErrors: 1, tests: [{ ...test1, state: 'passed' }] }, { passed: 1, failed: 1 }],
  ['a skip that says why', { tests: [{ ...test1, state: 'skipped', note: 'needs root' }] }, { passed: 0, failed: 0 }],
  ['a skip without a reason', { tests: [{ ...test1, state: 'skipped' }] }, { passed: 0, failed: 1 }],
  [
    'a test outside the filter',
    { tests: [{ ...test1, state: 'skipped', expectedSkip: true }] },
    { passed: 0, failed: 0 },
  ],
] satisfies [string, Partial<FileOutcome>, object][])('%s', (_what, outcome, expected) => {
  expect(count(outcome)).toMatchObject({ files: 1, ...expected });
});

test('a skip is named with its file and its reason', () => {
  const { skips } = count({ tests: [{ ...test1, state: 'skipped', note: 'needs root' }] });
  expect(skips).toEqual([{ test: 'test/x.test.ts > a', reason: 'needs root' }]);
});
