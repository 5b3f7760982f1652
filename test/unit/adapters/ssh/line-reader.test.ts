import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LineReader, MAX_LINE_LENGTH, OutputTail } from '../../../../src/adapters/ssh/line-reader.ts';

function linesOf(...chunks: readonly (string | Buffer)[]): string[] {
  const lines: string[] = [];
  const reader = new LineReader((line) => lines.push(line));
  for (const chunk of chunks) reader.push(Buffer.from(chunk));
  reader.end();
  return lines;
}

test.each<[string, (string | Buffer)[], string[]]>([
  ['a last line without newline', ['a\nb'], ['a', 'b']],
  ['empty lines', ['\n\na\n'], ['', '', 'a']],
  ['nothing', [], []],
  ['windows line ends', ['a\r\nb\r\n'], ['a', 'b']],
  ['a return cut from its newline', ['a\r', '\nb'], ['a', 'b']],
  ['a return alone in a piece', ['a', '\r', '\n'], ['a']],
  ['a progress bar', ['10%\r20%\r', '30%', '\rdone\nnext'], ['done', 'next']],
  ['a character cut in two', [Buffer.from([0xc3]), Buffer.from([0xa4, 0x0a])], ['ä']],
  ['bytes that are no UTF-8', [Buffer.from([0xff, 0x0a])], ['\ufffd']],
  ['a long line', ['x'.repeat(MAX_LINE_LENGTH), 'y', '\nz'], [`${'x'.repeat(MAX_LINE_LENGTH)} [...]`, 'z']],
  ['a progress bar longer than a line', ['x'.repeat(MAX_LINE_LENGTH * 2), '\rdone\n'], ['done']],
])('reads %s', (_, chunks, lines) => {
  expect(linesOf(...chunks)).toEqual(lines);
});

test('how the output is cut into pieces does not matter', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '\n', '\r', 'ä') });
  fc.assert(
    fc.property(fc.array(text), (pieces) => {
      expect(linesOf(...pieces)).toEqual(linesOf(pieces.join('')));
    }),
  );
});

test('keeps the last lines, and stops handing lines on when there are too many', () => {
  const handedOn: string[] = [];
  const tail = new OutputTail((line) => handedOn.push(line));
  for (let n = 0; n < 3000; n += 1) tail.add(`${n} ${'x'.repeat(8000)}`);
  expect(tail.lines).toHaveLength(40);
  expect(tail.lines.at(-1)).toMatch(/^2999 /);
  expect(handedOn.length).toBeLessThan(2200);
  expect(handedOn.at(-1)).toBe('[output beyond 16 MiB is not logged]');
});
