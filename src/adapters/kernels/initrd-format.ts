/** Recognises what the kernel takes as an initial ramdisk: a cpio archive, plain or compressed. Pure. */
import { constants, gunzipSync } from 'node:zlib';
import { errorCode } from '../../host/error-code.ts';
import { ascii, fileKind, hasBytes } from './file-kind.ts';

const CPIO: readonly (readonly number[])[] = [ascii('070701'), ascii('070702')];
const COMPRESSIONS: readonly (readonly number[])[] = [
  [0x28, 0xb5, 0x2f, 0xfd],
  [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00],
  // Of lz4's two forms the kernel reads the older one only (lib/decompress_unlz4.c).
  [0x02, 0x21, 0x4c, 0x18],
  ascii('BZh'),
  [0x5d, 0x00, 0x00],
  [0x89, 0x4c, 0x5a, 0x4f],
];

/** @returns undefined where it is an initrd; else what it is instead. */
export function refuseInitrd(head: Uint8Array): string | undefined {
  if (CPIO.some((magic) => hasBytes(head, 0, magic))) return undefined;
  if (hasBytes(head, 0, [0x1f, 0x8b]))
    return holdsCpio(head) ? undefined : 'a gzip-compressed file without a cpio archive';
  if (COMPRESSIONS.some((magic) => hasBytes(head, 0, magic))) return undefined;
  if (hasBytes(head, 0, [0x04, 0x22, 0x4d, 0x18])) return 'an lz4 frame file; the kernel reads the older form (lz4 -l)';
  return fileKind(head);
}

/** Looks at the first bytes inside; the head is only the beginning of the file, so its end is missing. */
function holdsCpio(head: Uint8Array): boolean {
  try {
    const inside = gunzipSync(head, { finishFlush: constants.Z_SYNC_FLUSH });
    return CPIO.some((magic) => hasBytes(inside, 0, magic));
  } catch (error) {
    if (errorCode(error)?.startsWith('Z_')) return false;
    throw error;
  }
}
