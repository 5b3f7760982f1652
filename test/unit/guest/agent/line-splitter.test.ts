import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LineSplitter } from '../../../../guest/agent/line-splitter.ts';

const MAX = 16;

function split(chunks: readonly (string | Uint8Array)[], maxBytes = MAX): string[] {
  const splitter = new LineSplitter(maxBytes);
  const lines: string[] = [];
  for (const chunk of chunks) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    splitter.push(bytes, (line) => lines.push(Buffer.from(line).toString('latin1')));
    // Whoever pushed may use the memory again.
    bytes.fill(0xff);
  }
  return lines;
}

describe('LineSplitter', () => {
  test.each<{ name: string; chunks: string[]; lines: string[] }>([
    { name: 'one line', chunks: ['one\n'], lines: ['one'] },
    { name: 'several at once', chunks: ['one\ntwo\n\nthree'], lines: ['one', 'two', ''] },
    { name: 'a line in pieces', chunks: ['o', 'n', 'e', '\n', 'two\n'], lines: ['one', 'two'] },
    { name: 'the longest that is allowed', chunks: [`${'x'.repeat(15)}\n`], lines: ['x'.repeat(15)] },
    { name: 'the longest, in pieces', chunks: ['x'.repeat(9), `${'x'.repeat(6)}\n`], lines: ['x'.repeat(15)] },
    { name: 'one too long', chunks: [`${'x'.repeat(16)}\nnext\n`], lines: ['next'] },
    { name: 'one too long, in pieces', chunks: ['x'.repeat(9), `${'x'.repeat(7)}\nnext\n`], lines: ['next'] },
    { name: 'one far too long', chunks: ['x'.repeat(40), 'x'.repeat(40), 'x\nnext\n'], lines: ['next'] },
    { name: 'one too long whose end comes alone', chunks: ['x'.repeat(16), '\n', 'next\n'], lines: ['next'] },
  ])('$name', ({ chunks, lines }) => {
    expect(split(chunks)).toEqual(lines);
  });

  test('however a stream is cut, its lines are the same', () => {
    const bytes = fc.uint8Array({ maxLength: 120 }).map((array) => array.map((byte) => (byte % 5 === 0 ? 0x0a : byte)));
    fc.assert(
      fc.property(bytes, fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 }), (stream, sizes) => {
        const text = Buffer.from(stream).toString('latin1');
        const expected = text
          .split('\n')
          .slice(0, -1)
          .filter((line) => line.length < MAX);
        const chunks: Uint8Array[] = [];
        for (let at = 0, turn = 0; at < stream.length; turn += 1) {
          const size = sizes[turn % sizes.length] ?? 1;
          chunks.push(stream.slice(at, at + size));
          at += size;
        }
        expect(split(chunks)).toEqual(expected);
      }),
    );
  });

  test('what was begun is forgotten on request', () => {
    const splitter = new LineSplitter(MAX);
    const lines: string[] = [];
    const push = (text: string): void =>
      splitter.push(Buffer.from(text), (line) => lines.push(Buffer.from(line).toString()));
    push('half');
    splitter.reset();
    push('whole\n');
    push('y'.repeat(30));
    splitter.reset();
    push('next\n');
    expect(lines).toEqual(['whole', 'next']);
  });
});
