/** Where paths of an unmounted filesystem really lead, worked out from what is known of its entries. Pure. */
import { posix } from 'node:path';
import { AppError } from '../../core/app-error.ts';

export type GuestEntry =
  | { readonly type: 'absent' }
  | { readonly type: 'folder' }
  | { readonly type: 'file'; readonly sizeBytes: number }
  /** The target is undefined where it is too long to lie in the inode. */
  | { readonly type: 'symlink'; readonly target: string | undefined }
  | { readonly type: 'other'; readonly words: string };

/** As many as Linux follows (path_resolution(7)). */
export const MAX_SYMLINKS = 40;

/** Follows the symlinks among a path's folders, and gathers what must be looked up and what must be made. */
export class GuestTree {
  readonly #known: ReadonlyMap<string, GuestEntry>;
  readonly #missing = new Set<string>();
  readonly #unknown = new Set<string>();

  constructor(known: ReadonlyMap<string, GuestEntry>) {
    this.#known = known;
  }

  /** Entries that must be looked up before every place is certain. */
  get unknown(): readonly string[] {
    return [...this.#unknown];
  }

  /** Folders to be made, parents first. */
  get missingFolders(): readonly string[] {
    return [...this.#missing];
  }

  has(path: string): boolean {
    return (this.#known.get(path)?.type ?? 'absent') !== 'absent';
  }

  /**
   * @returns where an entry lies with the symlinks among its folders followed, and its own left alone.
   * Only a guess while something is unknown.
   */
  place(path: string): string {
    let followed = 0;
    let rest = path.split('/').slice(1);
    let folder = '/';
    for (let name = rest.shift(); name !== undefined && rest.length > 0; name = rest.shift()) {
      const here = posix.join(folder, name);
      const entry = this.#known.get(here);
      if (entry === undefined) this.#unknown.add(here);
      if (entry?.type === 'symlink') {
        followed += 1;
        if (followed > MAX_SYMLINKS || entry.target === undefined) throw notAFolder(path, here, 'symlink');
        const target = posix.resolve(folder, entry.target);
        rest = [...target.split('/').filter((part) => part !== ''), ...rest];
        folder = '/';
        continue;
      }
      if (entry?.type === 'absent') this.#missing.add(here);
      else if (entry && entry.type !== 'folder') throw notAFolder(path, here, entry.type);
      folder = here;
    }
    const place = posix.join(folder, posix.basename(path));
    const entry = this.#known.get(place);
    if (entry === undefined) this.#unknown.add(place);
    if (entry?.type === 'folder') {
      throw new AppError('ROOTFS_INVALID', `${path} cannot be written into the filesystem: a folder is there.`);
    }
    return place;
  }
}

function notAFolder(path: string, here: string, type: string): AppError {
  return new AppError('ROOTFS_INVALID', `${path} cannot be written into the filesystem: ${here} is a ${type}.`);
}
