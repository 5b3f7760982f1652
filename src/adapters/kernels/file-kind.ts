/** What a file is, from its first bytes, in words for a person. Pure. */

/** How much of a file's beginning is looked at: an ext4 superblock lies at 1024, a tar's mark at 257. */
export const HEAD_BYTES = 4096;

interface Signature {
  readonly offset: number;
  readonly bytes: readonly number[];
  readonly words: string;
}

const SIGNATURES: readonly Signature[] = [
  { offset: 0x202, bytes: ascii('HdrS'), words: 'a kernel (bzImage)' },
  { offset: 0, bytes: [0x1f, 0x8b], words: 'a gzip-compressed file' },
  { offset: 0, bytes: [0x28, 0xb5, 0x2f, 0xfd], words: 'a zstd-compressed file' },
  { offset: 0, bytes: [0xfd, 0x37, 0x7a, 0x58, 0x5a], words: 'an xz-compressed file' },
  { offset: 0, bytes: [0x02, 0x21, 0x4c, 0x18], words: 'an lz4-compressed file' },
  { offset: 0, bytes: [0x04, 0x22, 0x4d, 0x18], words: 'an lz4 frame file' },
  { offset: 0, bytes: ascii('BZh'), words: 'a bzip2-compressed file' },
  { offset: 0, bytes: ascii('070701'), words: 'a cpio archive, such as an initrd' },
  { offset: 0, bytes: ascii('070702'), words: 'a cpio archive, such as an initrd' },
  { offset: 0, bytes: ascii('hsqs'), words: 'a squashfs filesystem' },
  { offset: 0, bytes: [0x51, 0x46, 0x49, 0xfb], words: 'a qcow2 disk image' },
  { offset: 0, bytes: ascii('PK\u0003\u0004'), words: 'a zip archive' },
  { offset: 0, bytes: ascii('!<arch>'), words: 'an archive of packages or objects (ar)' },
  { offset: 0, bytes: ascii('#!'), words: 'a script' },
  { offset: 257, bytes: ascii('ustar'), words: 'a tar archive' },
  { offset: 0x438, bytes: [0x53, 0xef], words: 'an ext4 filesystem' },
  { offset: 0, bytes: [0x7f, 0x45, 0x4c, 0x46], words: 'an ELF program' },
  { offset: 0, bytes: ascii('MZ'), words: 'an EFI or Windows program' },
  { offset: 510, bytes: [0x55, 0xaa], words: 'a disk image with a boot sector' },
];

/** "a gzip-compressed file", "empty", "a text file". */
export function fileKind(head: Uint8Array): string {
  if (head.length === 0) return 'empty';
  const known = SIGNATURES.find(({ offset, bytes }) => hasBytes(head, offset, bytes));
  if (known) return known.words;
  if (head.every((byte) => byte === 0)) return 'nothing but zeroes';
  return isText(head) ? 'a text file' : 'of a kind that is not known';
}

export function hasBytes(head: Uint8Array, offset: number, bytes: readonly number[]): boolean {
  return bytes.every((byte, index) => head[offset + index] === byte);
}

/** The bytes of an ASCII text. */
export function ascii(text: string): number[] {
  return Array.from(text, (character) => character.charCodeAt(0));
}

function isText(head: Uint8Array): boolean {
  return head.every((byte) => byte >= 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d);
}
