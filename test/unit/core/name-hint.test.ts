import { expect, test } from 'vitest';
import { nameHint } from '../../../src/core/name-hint.ts';

const WORDS = { all: 'VMs there are', none: 'Create one.' };

test.each([
  ['helo', ['brisk-lynx', 'hello'], 'Did you mean "hello"? VMs there are: brisk-lynx, hello.'],
  ['calm-oter', ['calm-otter'], 'Did you mean "calm-otter"? VMs there are: calm-otter.'],
  ['nosuch', ['brisk-lynx', 'hello'], 'VMs there are: brisk-lynx, hello.'],
  ['hello', [], 'Create one.'],
])('%s, where there are %j', (given, known, hint) => {
  expect(nameHint(given, known, WORDS)).toBe(hint);
});

test('of hundreds the nearest is found, and twenty are told', () => {
  const known = Array.from({ length: 300 }, (_, index) => `machine-${index}`);
  const hint = nameHint('machin-299', known, WORDS);
  expect(hint).toMatch(/^Did you mean "machine-299"\? VMs there are: machine-0, .*, machine-19, and 280 more\.$/);
});
