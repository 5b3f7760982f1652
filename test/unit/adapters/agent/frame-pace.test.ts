import { expect, test } from 'vitest';
import { FramePace } from '../../../../src/adapters/agent/frame-pace.ts';

const MIB = 1024 * 1024;

/** Frames of one size that are read in a stretch of time, by a reader that rests as it is told. */
function framesIn(stretchMs: number, sizeBytes: number): number {
  const pace = new FramePace();
  let nowMs = 5;
  let count = 0;
  // No more than that: without a pace this would never end.
  while (nowMs < 5 + stretchMs && count < 100_000) {
    nowMs += pace.charge(sizeBytes, nowMs);
    count += 1;
  }
  return count;
}

test('a burst is read at once, and again after a rest of its length', () => {
  const pace = new FramePace();
  const waits = (nowMs: number): number[] => Array.from({ length: 900 }, () => pace.charge(100, nowMs));
  expect(waits(0).every((waitMs) => waitMs === 0)).toBe(true);
  expect(waits(1000).every((waitMs) => waitMs === 0)).toBe(true);
  expect(waits(1100).some((waitMs) => waitMs > 0)).toBe(true);
});

test.each([
  ['small frames: 1,000 a second', 1, 10_000, 11_000],
  ['large frames: 1 MiB a second', MIB / 16, 160, 180],
])('without end, %s', (_, sizeBytes, least, most) => {
  const count = framesIn(10_000, sizeBytes);
  expect(count).toBeGreaterThan(least * 0.95);
  expect(count).toBeLessThan(most);
});

test('rests are long ones, so that a flood costs few timers', () => {
  const pace = new FramePace();
  const rests: number[] = [];
  let nowMs = 0;
  for (let count = 0; count < 10_000; count += 1) {
    const waitMs = pace.charge(1, nowMs);
    if (waitMs > 0) rests.push(waitMs);
    nowMs += waitMs;
  }
  expect(rests.length).toBeGreaterThan(10);
  expect(rests.length).toBeLessThan(25);
  expect(Math.max(...rests)).toBeLessThan(600);
});
