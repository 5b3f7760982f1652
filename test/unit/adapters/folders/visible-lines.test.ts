import { expect, test } from 'vitest';
import { visibleLines } from '../../../../src/adapters/folders/visible-lines.ts';

test.each([
  ['a\r\n\r\n  \nb', ['a', 'b']],
  ['[\u001b[0;32m  OK  \u001b[0m] Started', ['[  OK  ] Started']],
  ['\u001b[2J\u001b[1;1H\u001b[?25lhidden', ['hidden']],
  ['\u001b]0;title\u0007x', [String.raw`\x1b]0;title\x07x`]],
  ['a\tb\u0000c\u009bd\u007f', [String.raw`a  b\x00c\x9bd\x7f`]],
  ['ä\ufffd', ['ä\ufffd']],
  ['', []],
])('%j becomes %j', (text, lines) => {
  expect(visibleLines(text)).toEqual(lines);
});
