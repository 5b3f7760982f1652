/** Folders below our own roots: made private, listed, removed; never anything outside. */
import { lstat, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../../core/app-error.ts';
import { hasCode } from '../../host/error-code.ts';

/** One path component that can lead nowhere else: what may be reached by a key, which is more than what is listed. */
const KEY_PATTERN = /^[a-z0-9][a-z0-9-]{0,63}$/;

/** @throws AppError INTERNAL where the key could lead out of `root`. */
export function ownedPath(root: string, key: string): string {
  if (KEY_PATTERN.test(key)) return join(root, key);
  throw new AppError('INTERNAL', `${JSON.stringify(key)} is not a folder's name below ${root}.`);
}

/** Makes a folder of ours, 0700. @throws the file system's own error, EEXIST included. */
export async function makeOwned(root: string, key: string): Promise<string> {
  const dir = ownedPath(root, key);
  await mkdir(root, { recursive: true, mode: 0o700 });
  await mkdir(dir, { mode: 0o700 });
  return dir;
}

/** Removes a folder with all its content; does nothing where it is gone. A link is removed, not followed. */
export async function removeOwned(root: string, key: string): Promise<void> {
  await rm(ownedPath(root, key), { recursive: true, force: true });
}

/**
 * Names of the folders below a root that are ours by their form. What is listed may be removed: anything else that lies
 * there, whatever it is called, is somebody's own.
 */
export async function listOwned(root: string, isOurs: (name: string) => boolean): Promise<string[]> {
  const entries = await readdir(root, { withFileTypes: true }).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
  return entries.filter((entry) => entry.isDirectory() && isOurs(entry.name)).map((entry) => entry.name);
}

export async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

export function isMissing(error: unknown): boolean {
  return hasCode(error, 'ENOENT');
}
