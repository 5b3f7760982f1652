import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { refuseInitrd } from '../../../../src/adapters/kernels/initrd-format.ts';

const CPIO = Buffer.concat([Buffer.from('070701'), Buffer.alloc(20_000, 0x30)]);

test.each([
  ['a plain cpio archive, as of early microcode', CPIO],
  ['one with checksums', Buffer.from('070702000')],
  ['gzip', gzipSync(CPIO)],
  ['the beginning of a gzip file', gzipSync(Buffer.concat([CPIO, randomLike(50_000)])).subarray(0, 4096)],
  ['zstd', Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0])],
  ['xz', Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00])],
  ['lz4, the older form', Buffer.from([0x02, 0x21, 0x4c, 0x18])],
  ['bzip2', Buffer.from('BZh91AY')],
  ['lzma', Buffer.from([0x5d, 0x00, 0x00, 0x80])],
  ['lzop', Buffer.from([0x89, 0x4c, 0x5a, 0x4f])],
])('%s is taken', (_what, head) => {
  expect(refuseInitrd(head)).toBeUndefined();
});

test.each([
  ['an empty file', Buffer.alloc(0), /^empty$/],
  ['a kernel', Buffer.concat([Buffer.alloc(0x202, 1), Buffer.from('HdrS')]), /kernel/],
  ['text', Buffer.from('words\n'), /text/],
  ['a gzipped tar', gzipSync(Buffer.from('file.txt'.padEnd(2000, '\0'))), /without a cpio archive/],
  ['a broken gzip file', Buffer.from([0x1f, 0x8b, 0xff, 0xff, 0xff]), /without a cpio archive/],
  ['an lz4 frame', Buffer.from([0x04, 0x22, 0x4d, 0x18]), /older form/],
])('%s is refused', (_what, head, words) => {
  expect(refuseInitrd(head)).toMatch(words);
});

/** Bytes that do not compress, the same in every run. */
function randomLike(length: number): Buffer {
  let state = 1;
  return Buffer.from(
    Array.from({ length }, () => {
      state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
      return state >> 16;
    }),
  );
}
