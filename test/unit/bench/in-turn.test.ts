import { expect, test } from 'vitest';
import { inTurn } from '../../../bench/in-turn.ts';

function sides(): {
  readonly calls: string[];
  readonly banger: () => Promise<number>;
  readonly byHand: () => Promise<number>;
} {
  const calls: string[] = [];
  const side = (name: string) => async (): Promise<number> => calls.push(name);
  return { calls, banger: side('A'), byHand: side('B') };
}

const PLAN = { runs: 3, deadlineMs: Infinity, signal: new AbortController().signal };

test('A B A B, and samples of one index belong together', async () => {
  const both = sides();
  const pairs: number[] = [];
  const samples = await inTurn(both, PLAN, ({ number }) => pairs.push(number));
  expect(both.calls.join('')).toBe('ABABAB');
  expect(samples).toEqual({ banger: [1, 3, 5], byHand: [2, 4, 6] });
  expect(pairs).toEqual([1, 2, 3]);
});

test('a warm-up counts for nothing', async () => {
  const both = sides();
  const samples = await inTurn(both, { ...PLAN, runs: 1, warmUp: true }, () => undefined);
  expect(both.calls.join('')).toBe('ABAB');
  expect(samples).toEqual({ banger: [3], byHand: [4] });
});

test('where the time is up no other pair begins, but there is always one', async () => {
  const both = sides();
  const samples = await inTurn(both, { ...PLAN, deadlineMs: performance.now() }, () => undefined);
  expect(samples).toEqual({ banger: [1], byHand: [2] });
});

test('what a side throws is thrown', async () => {
  const broken = { ...sides(), byHand: () => Promise.reject(new Error('no guest')) };
  await expect(inTurn(broken, PLAN, () => undefined)).rejects.toThrow('no guest');
});
