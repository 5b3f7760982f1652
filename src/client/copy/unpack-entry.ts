/** What may come out of a tar stream that a guest has made. Pure; a guest may send anything. */
import type { Header } from 'tar-stream';

/** What is looked at; whatever a guest has sent, tar-stream makes it of these types. */
export type EntryHeader = Pick<Header, 'name' | 'mode' | 'mtime' | 'pax'> & {
  /** Null where tar-stream does not know it. */
  readonly type: Header['type'] | null;
  readonly linkname?: string | null;
};

/** NAME_MAX and PATH_MAX of Linux, `bytes`. */
const MAX_NAME_BYTES = 255;
const MAX_PATH_BYTES = 4095;

export type SafeEntry =
  | {
      readonly kind: 'folder' | 'file';
      readonly parts: readonly string[];
      readonly mode: number;
      readonly mtime: number;
    }
  | { readonly kind: 'link'; readonly parts: readonly string[]; readonly target: string; readonly mtime: number }
  /** Something that has no place on the host: devices and pipes. */
  | { readonly kind: 'skipped'; readonly what: string };

/**
 * Judges one entry.
 *
 * @param top the name that was asked for: every entry is that, or lies below it.
 * @returns the entry, its place as names below the target and its mode without setuid, setgid and sticky bits; or what is
 * wrong with it.
 */
export function judgeEntry(header: EntryHeader, top: string): SafeEntry | { readonly fault: string } {
  const parts = placeOf(header.name, top);
  if (typeof parts === 'string') return { fault: parts };
  const mtime = modificationTime(header);
  const mode = header.mode & 0o777;
  switch (header.type) {
    case 'directory':
      return { kind: 'folder', parts, mode, mtime };
    case 'file':
    case 'contiguous-file':
      return { kind: 'file', parts, mode, mtime };
    case 'symlink': {
      const target = header.linkname ?? '';
      if (target === '' || target.includes('\0') || Buffer.byteLength(target) > MAX_PATH_BYTES) {
        return { fault: 'a link that leads nowhere' };
      }
      return { kind: 'link', parts, target, mtime };
    }
    case 'character-device':
    case 'block-device':
    case 'fifo':
      return { kind: 'skipped', what: header.type };
    default:
      // Hard links were not asked for: their target could be any file of ours.
      return { fault: `an entry of type ${header.type ?? 'unknown'}` };
  }
}

function placeOf(name: string, top: string): readonly string[] | string {
  if (name.startsWith('/')) return 'an absolute path';
  if (name.includes('\0')) return 'a name with a NUL byte';
  if (name.includes('\ufffd')) return 'a name that is not UTF-8';
  if (Buffer.byteLength(name) > MAX_PATH_BYTES) return 'a path that is too long';
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) return 'a path with `..`';
  if (parts.some((part) => Buffer.byteLength(part) > MAX_NAME_BYTES)) return 'a name that is too long';
  if (top === '.') return parts;
  return parts[0] === top ? parts.slice(1) : 'a path that was not asked for';
}

/** Seconds, with the fraction that only an extended header has. */
function modificationTime({ pax, mtime }: EntryHeader): number {
  const exact = typeof pax === 'object' && pax !== null && 'mtime' in pax ? Number(pax.mtime) : Number.NaN;
  const seconds = Number.isFinite(exact) ? exact : mtime.getTime() / 1000;
  // What a file system takes; a guest may say anything.
  return Number.isFinite(seconds) ? Math.min(Math.max(seconds, 0), 2 ** 33) : 0;
}
