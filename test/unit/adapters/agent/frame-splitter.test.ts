import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type FramePiece, FrameSplitter } from '../../../../src/adapters/agent/frame-splitter.ts';
import { MAX_FRAME_BYTES } from '../../../../src/contracts/agent.ts';
import { usedMemoryBytes } from '../../../support/memory.ts';

/** Pieces in short: a line as its text, a part of an overlong one as its size. */
function brief(piece: FramePiece): string {
  return piece.kind === 'line' ? piece.bytes.toString('utf8') : `overlong ${piece.sizeBytes}`;
}

function split(...chunks: readonly (string | Buffer)[]): string[] {
  const splitter = new FrameSplitter();
  return chunks.flatMap((chunk) => [...splitter.push(Buffer.from(chunk))].map(brief));
}

const LONGEST = 'a'.repeat(MAX_FRAME_BYTES - 1);

test.each<[string, (string | Buffer)[], string[]]>([
  ['a line', ['a\n'], ['a']],
  ['lines in one chunk', ['a\nb\n'], ['a', 'b']],
  ['a line in pieces', ['a', 'b', 'c\nd'], ['abc']],
  ['a newline alone', ['a', '\n'], ['a']],
  ['empty lines', ['\n\n', '\n'], ['', '', '']],
  ['nothing', [''], []],
  ['a character cut in two', [Buffer.from([0xc3]), Buffer.from([0xa4, 0x0a])], ['ä']],
  ['a line at the bound', [LONGEST, '\nb\n'], [LONGEST, 'b']],
  ['a line one byte beyond it', [`${LONGEST}a\n`, 'b\n'], [`overlong ${MAX_FRAME_BYTES + 1}`, 'b']],
  [
    'a line beyond it in pieces',
    [LONGEST, 'aa', 'aaa', 'a\nb\n'],
    [`overlong ${MAX_FRAME_BYTES + 1}`, 'overlong 3', 'overlong 2', 'b'],
  ],
  [
    'two lines beyond it',
    [`${LONGEST}a`, '\n', `${LONGEST}a`, '\nb\n'],
    [`overlong ${MAX_FRAME_BYTES}`, 'overlong 1', `overlong ${MAX_FRAME_BYTES}`, 'overlong 1', 'b'],
  ],
])('%s', (_, chunks, pieces) => {
  expect(split(...chunks)).toEqual(pieces);
});

test('how the stream is cut does not matter, and every byte is in one piece', () => {
  // Lines about the bound are rare by chance, and are what matters.
  const line = fc.oneof(
    { weight: 10, arbitrary: fc.stringMatching(/^[^\n]{0,30}$/) },
    fc.integer({ min: -2, max: 2 }).map((more) => 'x'.repeat(MAX_FRAME_BYTES - 1 + more)),
    fc.constant('y'.repeat(3 * MAX_FRAME_BYTES)),
  );
  const cut = fc.oneof(fc.nat(40), fc.integer({ min: MAX_FRAME_BYTES - 50, max: MAX_FRAME_BYTES + 50 }));
  fc.assert(
    fc.property(fc.array(line, { maxLength: 6 }), fc.array(cut, { maxLength: 8 }), (lines, cuts) => {
      const stream = Buffer.from(lines.map((text) => `${text}\n`).join(''));
      const splitter = new FrameSplitter();
      const pieces: FramePiece[] = [];
      let start = 0;
      for (const size of [...cuts, stream.length]) {
        pieces.push(...splitter.push(stream.subarray(start, start + size)));
        start += size;
      }
      expect(pieces.filter(({ kind }) => kind === 'line').map(brief)).toEqual(
        lines.filter((text) => Buffer.byteLength(text) < MAX_FRAME_BYTES),
      );
      expect(pieces.reduce((sum, piece) => sum + piece.sizeBytes, 0)).toBe(stream.length);
    }),
  );
});

describe('lines that come byte by byte', () => {
  test('cost as much as their length, not the square of it', () => {
    const splitter = new FrameSplitter();
    const line = Buffer.from(`${'a'.repeat(60_000)}\n`);
    const startedAt = performance.now();
    for (let count = 0; count < 50; count += 1) {
      let pieces = 0;
      for (let at = 0; at < line.length; at += 1) pieces += [...splitter.push(line.subarray(at, at + 1))].length;
      expect(pieces).toBe(1);
    }
    // Three million chunks: about a second. To copy the line for each would be 90 GB.
    expect(performance.now() - startedAt).toBeLessThan(15_000);
  });

  test('do not keep the chunks they came in', async () => {
    const splitter = new FrameSplitter();
    const before = await usedMemoryBytes();
    for (let count = 0; count < 1000; count += 1) {
      const chunk = Buffer.alloc(64 * 1024, 0x61).subarray(0, 1);
      expect([...splitter.push(chunk)]).toEqual([]);
    }
    expect((await usedMemoryBytes()) - before).toBeLessThan(2 ** 20);
    expect([...splitter.push(Buffer.from('\n'))].map(brief)).toEqual(['a'.repeat(1000)]);
  });
});
