import { expect, test } from 'vitest';
import { describeContent, parseSuperblock } from '../../../../src/adapters/disks/superblock.ts';

interface Fields {
  readonly magic?: number;
  readonly logBlockSize?: number;
  readonly blocks?: number;
  readonly blocksHigh?: number;
  readonly free?: number;
  readonly incompat?: number;
  readonly state?: number;
}

function head(fields: Fields): Buffer {
  const buffer = Buffer.alloc(4096);
  const at = (offset: number): number => 1024 + offset;
  buffer.writeUInt32LE(fields.blocks ?? 1000, at(0x04));
  buffer.writeUInt32LE(fields.free ?? 400, at(0x0c));
  buffer.writeUInt32LE(fields.logBlockSize ?? 2, at(0x18));
  buffer.writeUInt16LE(fields.magic ?? 0xef53, at(0x38));
  buffer.writeUInt16LE(fields.state ?? 1, at(0x3a));
  buffer.writeUInt32LE(fields.incompat ?? 0, at(0x60));
  buffer.writeUInt32LE(fields.blocksHigh ?? 0, at(0x150));
  return buffer;
}

test('reads sizes and state', () => {
  expect(parseSuperblock(head({}))).toEqual({
    blockSizeBytes: 4096,
    blockCount: 1000,
    freeBlockCount: 400,
    clean: true,
  });
});

test('the upper half of the block count counts only with the feature 64bit', () => {
  expect(parseSuperblock(head({ blocksHigh: 1 }))).toMatchObject({ blockCount: 1000 });
  expect(parseSuperblock(head({ blocksHigh: 1, incompat: 0x80 }))).toMatchObject({ blockCount: 2 ** 32 + 1000 });
});

test.each([
  ['mounted when it was copied', { state: 0 }],
  ['with faults found by the kernel', { state: 3 }],
  ['with a journal to be replayed', { incompat: 0x4 }],
])('a filesystem %s is not clean', (_, fields) => {
  expect(parseSuperblock(head(fields))).toMatchObject({ clean: false });
});

test.each([
  ['unknown kind', { magic: 0x1234 }],
  ['unknown kind', { logBlockSize: 7 }],
  ['journal device', { incompat: 0x8 }],
  ['damaged', { blocks: 0, free: 0 }],
  ['damaged', { free: 1001 }],
])('refuses it as %s', (words, fields) => {
  expect(parseSuperblock(head(fields))).toContain(words);
});

function magic(offset: number, bytes: string, size = 70_000): Buffer {
  const buffer = Buffer.alloc(size);
  buffer.write(bytes, offset, 'latin1');
  return buffer;
}

test.each([
  [Buffer.alloc(0), 'an empty file'],
  [Buffer.alloc(5000), 'zeros only'],
  [magic(0, 'QFI\xfb'), 'qcow2'],
  [magic(0, '\x1f\x8b'), 'gzip'],
  [magic(510, '\x55\xaa'), 'MBR'],
  [Buffer.concat([magic(510, '\x55\xaa', 512), magic(0, 'EFI PART', 4096)]), 'GPT'],
  [magic(0, 'XFSB'), 'XFS'],
  [magic(0x10040, '_BHRfS_M'), 'btrfs'],
  [magic(257, 'ustar'), 'tar'],
  [magic(0, '\x7fELF'), 'ELF'],
  [Buffer.from('root:x:0:0\n\ttabbed\r\nä'), 'a text file'],
  [Buffer.from([1, 2, 3]), 'unknown kind'],
])('names %# for what it is: %s', (content, words) => {
  expect(describeContent(content)).toContain(words);
  expect(parseSuperblock(content)).toContain(words);
});
