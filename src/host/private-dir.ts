/** Folders that are ours alone: sockets and secrets lie in them. */
import { lstat, mkdir } from 'node:fs/promises';
import { hasCode } from './error-code.ts';

/** Why a folder cannot be trusted. */
export type UnsafeDirReason = 'not-a-folder' | 'symlink' | 'foreign-owner' | 'open-to-others';

/** A folder that somebody else could write to, or could have put there. */
export class UnsafeDirError extends Error {
  override readonly name = 'UnsafeDirError';
  readonly path: string;
  readonly reason: UnsafeDirReason;
  /** What mends it. */
  readonly fix: string;

  constructor(path: string, reason: UnsafeDirReason, facts: { readonly message: string; readonly fix: string }) {
    super(`${path} ${facts.message}`);
    this.path = path;
    this.reason = reason;
    this.fix = facts.fix;
  }
}

/**
 * Makes sure that a folder exists, is a real folder, belongs to `uid` and is closed to everybody else.
 * Missing parents are made 0700 too. What exists is checked and never changed: whoever left it open may have
 * put something into it.
 *
 * @throws UnsafeDirError; the file system's own error where it cannot be made.
 */
export async function ensurePrivateDir(path: string, uid: number): Promise<void> {
  try {
    return await assertPrivateDir(path, uid);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
  await mkdir(path, { recursive: true, mode: 0o700 });
  // Somebody else may have been quicker, where all may write (/tmp).
  await assertPrivateDir(path, uid);
}

/**
 * Checks a folder that exists: a real folder, of `uid`, closed to everybody else. Changes nothing.
 *
 * @throws UnsafeDirError; ENOENT where it does not exist.
 */
export async function assertPrivateDir(path: string, uid: number): Promise<void> {
  // lstat: a symlink in a folder that all may write (/tmp) would lead wherever its maker likes.
  const found = await lstat(path);
  const remove = `Look at what ${path} is and remove it, or set BANGER_HOME to a folder of yours.`;
  if (found.isSymbolicLink()) {
    throw new UnsafeDirError(path, 'symlink', { message: 'is a symbolic link, not a folder', fix: remove });
  }
  if (!found.isDirectory()) {
    throw new UnsafeDirError(path, 'not-a-folder', { message: 'is not a folder', fix: remove });
  }
  if (found.uid !== uid) {
    throw new UnsafeDirError(path, 'foreign-owner', {
      message: `belongs to uid ${found.uid}, not to us (uid ${uid})`,
      fix: remove,
    });
  }
  const mode = found.mode & 0o7777;
  if ((mode & 0o077) !== 0 || (mode & 0o700) !== 0o700) {
    throw new UnsafeDirError(path, 'open-to-others', {
      message: `has mode ${mode.toString(8).padStart(4, '0')}; it must be 0700`,
      fix: `chmod 700 ${path}`,
    });
  }
}
