/**
 * Reads ext2/3/4 superblocks without help of another program, and names what a file holds instead.
 * Layout: Linux, Documentation/filesystems/ext4/super.rst.
 */

/** Bytes of a file's beginning that everything here looks at: btrfs keeps its magic at 64 KiB. */
export const HEAD_BYTES = 68 * 1024;

const SUPERBLOCK_OFFSET = 1024;
const SUPERBLOCK_BYTES = 1024;
const EXT_MAGIC = 0xef53;
/** Block sizes go from 1 KiB (0) to 64 KiB (6). */
const MAX_LOG_BLOCK_SIZE = 6;
const INCOMPAT_RECOVER = 0x4;
const INCOMPAT_JOURNAL_DEV = 0x8;
const INCOMPAT_64BIT = 0x80;
const STATE_VALID = 0x1;
const STATE_ERROR = 0x2;

export interface Superblock {
  readonly blockSizeBytes: number;
  readonly blockCount: number;
  readonly freeBlockCount: number;
  /** Unmounted in order and without known faults: may be written by other programs at once. */
  readonly clean: boolean;
}

/** @returns the superblock, or in words why there is none that could be used. */
export function parseSuperblock(head: Buffer): Superblock | string {
  if (head.length < SUPERBLOCK_OFFSET + SUPERBLOCK_BYTES) return describeContent(head);
  const block = head.subarray(SUPERBLOCK_OFFSET, SUPERBLOCK_OFFSET + SUPERBLOCK_BYTES);
  const logBlockSize = block.readUInt32LE(0x18);
  if (block.readUInt16LE(0x38) !== EXT_MAGIC || logBlockSize > MAX_LOG_BLOCK_SIZE) return describeContent(head);
  const incompat = block.readUInt32LE(0x60);
  if (incompat & INCOMPAT_JOURNAL_DEV) return 'an ext4 journal device, which holds no files';
  // The upper halves mean something only where the filesystem has the feature "64bit".
  const high = (offset: number): number => (incompat & INCOMPAT_64BIT ? block.readUInt32LE(offset) * 2 ** 32 : 0);
  const blockCount = block.readUInt32LE(0x04) + high(0x150);
  const freeBlockCount = block.readUInt32LE(0x0c) + high(0x158);
  if (blockCount === 0 || freeBlockCount > blockCount) return 'an ext4 filesystem whose superblock is damaged';
  const state = block.readUInt16LE(0x3a);
  return {
    blockSizeBytes: 1024 * 2 ** logBlockSize,
    blockCount,
    freeBlockCount,
    clean: (state & STATE_VALID) !== 0 && (state & STATE_ERROR) === 0 && (incompat & INCOMPAT_RECOVER) === 0,
  };
}

interface Signature {
  readonly offset: number;
  readonly bytes: string;
  readonly words: string;
}

/** In the order they are looked for: filesystems and containers before the partition table they may carry. */
const SIGNATURES: readonly Signature[] = [
  { offset: 0, bytes: 'QFI\xfb', words: 'a qcow2 disk image' },
  { offset: 0, bytes: 'KDMV', words: 'a VMDK disk image' },
  { offset: 0, bytes: 'vhdxfile', words: 'a VHDX disk image' },
  { offset: 0, bytes: 'conectix', words: 'a VHD disk image' },
  { offset: 0, bytes: '\x1f\x8b', words: 'gzip-compressed data' },
  { offset: 0, bytes: '\xfd7zXZ\0', words: 'xz-compressed data' },
  { offset: 0, bytes: '\x28\xb5\x2f\xfd', words: 'zstd-compressed data' },
  { offset: 0, bytes: 'BZh', words: 'bzip2-compressed data' },
  { offset: 0, bytes: 'PK\x03\x04', words: 'a zip archive' },
  { offset: 0, bytes: 'XFSB', words: 'an XFS filesystem' },
  { offset: 0, bytes: 'hsqs', words: 'a squashfs filesystem' },
  { offset: 1024, bytes: '\xe2\xe1\xf5\xe0', words: 'an EROFS filesystem' },
  { offset: 0x10040, bytes: '_BHRfS_M', words: 'a btrfs filesystem' },
  { offset: 0x8001, bytes: 'CD001', words: 'an ISO 9660 image' },
  { offset: 257, bytes: 'ustar', words: 'a tar archive' },
  { offset: 0, bytes: '\x7fELF', words: 'an ELF program' },
  { offset: 512, bytes: 'EFI PART', words: 'a whole disk with a GPT partition table' },
  { offset: 510, bytes: '\x55\xaa', words: 'a whole disk with an MBR partition table or a boot sector' },
];

/** What a file that is no ext4 filesystem seems to be. */
export function describeContent(head: Buffer): string {
  if (head.length === 0) return 'an empty file';
  const found = SIGNATURES.find(({ offset, bytes }) => {
    const end = offset + bytes.length;
    return head.length >= end && head.toString('latin1', offset, end) === bytes;
  });
  if (found) return found.words;
  if (head.every((byte) => byte === 0)) return 'a file that begins with zeros only';
  // Control characters other than tab, newline, form feed and return do not occur in text.
  const text = head.every((byte) => byte >= 0x20 || (byte >= 0x09 && byte <= 0x0d));
  return text ? 'a text file' : 'data of an unknown kind';
}
