import { expect, test } from 'vitest';
import { printable } from '../../../src/host/text-tail.ts';

test.each([
  ['plain\nlines\n', 'plain\nlines\n'],
  ['\u001b]0;title\u0007\u001b[31mred', '?]0;title??[31mred'],
  ['a\r\nb', 'a\nb'],
  ['naïve – ok', 'naïve – ok'],
  ['\u0000\u009b', '??'],
])('%j is shown as %j', (text, shown) => {
  expect(printable(text)).toBe(shown);
});
