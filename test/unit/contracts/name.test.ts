import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nameSchema } from '../../../src/contracts/name.ts';

const takes = (text: unknown): boolean => nameSchema.safeParse(text).success;

/** A DNS label's limit (RFC 1035, section 2.3.4). */
const NAME_MAX_LENGTH = 63;

describe('nameSchema', () => {
  test.each(['a', '7', 'dev', 'calm-otter', 'a--b', '0-0', 'x'.repeat(NAME_MAX_LENGTH)])('takes %j', (text) => {
    expect(takes(text)).toBe(true);
  });

  test.each([
    '',
    'x'.repeat(NAME_MAX_LENGTH + 1),
    '-a',
    'a-',
    '-',
    'A',
    'a b',
    'a.b',
    'a_b',
    'a/b',
    '../x',
    '..',
    '.',
    '$(reboot)',
    '`reboot`',
    "a'b",
    'a"b',
    'a;b',
    'a\n',
    '\na',
    'a\0',
    'ä',
    'ａ',
    7,
    null,
    undefined,
    ['a'],
  ])('refuses %j', (text) => {
    expect(takes(text)).toBe(false);
  });

  test('whatever it takes is one DNS label, and one path component that needs no quoting', () => {
    const almost = fc.stringMatching(/^[a-zA-Z0-9-]{0,70}$/);
    fc.assert(
      fc.property(fc.oneof(fc.string(), almost), (text) => {
        const isLabel = /^(?!-)[a-z0-9-]{1,63}(?<!-)$/.test(text) && !text.includes('\n');
        expect(takes(text)).toBe(isLabel);
      }),
    );
  });
});
