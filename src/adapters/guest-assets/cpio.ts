/**
 * Archives that the kernel unpacks as its first root: cpio in the form `newc`, uncompressed. Pure.
 * The format: Documentation/driver-api/early-userspace/buffer-format.rst of Linux.
 */

export type CpioEntry =
  | { readonly kind: 'folder'; readonly path: string }
  | { readonly kind: 'file'; readonly path: string; readonly mode: number; readonly content: Uint8Array }
  | { readonly kind: 'character-device'; readonly path: string; readonly major: number; readonly minor: number };

const MAGIC = '070701';
const ALIGNMENT_BYTES = 4;
const TRAILER = 'TRAILER!!!';
/** As `st_mode` has them (inode(7)). */
const FILE_TYPES = { folder: 0o040000, file: 0o100000, 'character-device': 0o020000 } as const;
const FOLDER_MODE = 0o755;
const DEVICE_MODE = 0o600;

/** @param entries folders before what lies in them; paths without a leading slash. Everything belongs to root. */
export function cpioArchive(entries: readonly CpioEntry[]): Uint8Array {
  const parts = entries.map((entry, index) => member(index + 1, entry));
  return Buffer.concat([...parts, header({ inode: 0, mode: 0, name: TRAILER })]);
}

function member(inode: number, entry: CpioEntry): Uint8Array {
  const { kind, path: name } = entry;
  const type = FILE_TYPES[kind];
  switch (kind) {
    case 'folder':
      return header({ inode, mode: type | FOLDER_MODE, name });
    case 'character-device':
      return header({ inode, mode: type | DEVICE_MODE, name, device: entry });
    case 'file': {
      const sizeBytes = entry.content.length;
      return Buffer.concat([header({ inode, mode: type | entry.mode, name, sizeBytes }), padded(entry.content)]);
    }
  }
}

function header(facts: {
  readonly inode: number;
  readonly mode: number;
  readonly name: string;
  readonly sizeBytes?: number;
  readonly device?: { readonly major: number; readonly minor: number };
}): Uint8Array {
  const { inode, mode, name, sizeBytes = 0, device = { major: 0, minor: 0 } } = facts;
  const [links, owner, group, time] = [1, 0, 0, 0];
  const numbers = [inode, mode, owner, group, links, time, sizeBytes];
  const rest = [0, 0, device.major, device.minor, Buffer.byteLength(name) + 1, 0];
  const fields = [...numbers, ...rest].map((number) => number.toString(16).padStart(8, '0'));
  return padded(Buffer.from(`${MAGIC}${fields.join('')}${name}\0`));
}

function padded(bytes: Uint8Array): Uint8Array {
  const missing = -bytes.length & (ALIGNMENT_BYTES - 1);
  return missing === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(missing)]);
}
