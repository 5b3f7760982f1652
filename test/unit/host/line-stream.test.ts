import { Readable } from 'node:stream';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { linesOf } from '../../../src/host/line-stream.ts';

async function read(chunks: readonly Buffer[], maxBytes = 100): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of linesOf(Readable.from(chunks), maxBytes)) lines.push(line);
  return lines;
}

test('lines are the same however their bytes come', async () => {
  const texts = fc.array(fc.string({ unit: fc.constantFrom('a', 'é', '🦦', '\r', ' '), maxLength: 8 }));
  await fc.assert(
    fc.asyncProperty(texts, fc.infiniteStream(fc.integer({ min: 1, max: 5 })), async (lines, sizes) => {
      const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
      const chunks: Buffer[] = [];
      for (let from = 0; from < bytes.length;) {
        const size = sizes.next().value ?? 1;
        chunks.push(bytes.subarray(from, from + size));
        from += size;
      }
      expect(await read(chunks)).toEqual(lines);
    }),
  );
});

test('a last line without its end is dropped', async () => {
  expect(await read([Buffer.from('whole\ncut')])).toEqual(['whole']);
});

test('a line that is too long is refused, in one piece or in many', async () => {
  await expect(read([Buffer.alloc(101, 'x')])).rejects.toThrow('longer than 100 bytes');
  await expect(read(Array.from({ length: 200 }, () => Buffer.from('x')))).rejects.toThrow('longer than 100 bytes');
  expect(await read([Buffer.from(`${'x'.repeat(100)}\n${'y'.repeat(100)}\n`)])).toHaveLength(2);
});
