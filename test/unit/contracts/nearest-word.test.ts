import { expect, test } from 'vitest';
import { nearestWord } from '../../../src/contracts/nearest-word.ts';

test.each([
  ['log_levle', 'log_level'],
  ['Engine', 'engine'],
  ['engin', 'engine'],
  ['enginee', 'engine'],
  ['ssh_key', undefined],
  ['xyz', undefined],
  ['', undefined],
])('%j means %j', (given, meant) => {
  expect(nearestWord(given, ['log_level', 'engine', 'ssh_key_path'])).toBe(meant);
});

test('of several the nearest; of none known there is none', () => {
  expect(nearestWord('cidrr', ['cpus', 'cidr64', 'cidr'])).toBe('cidr');
  expect(nearestWord('engine', [])).toBeUndefined();
});

test('a word as long as whoever sent it likes costs no look', () => {
  const startedMs = performance.now();
  expect(nearestWord('k'.repeat(2_000_000), ['log_level', 'engine'])).toBeUndefined();
  expect(performance.now() - startedMs).toBeLessThan(100);
});
