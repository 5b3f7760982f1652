/** Files that are either the old content or the new, whole, whatever happens in between. */
import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { hasCode } from './error-code.ts';

export interface AtomicFileOptions {
  /** Permission bits of the new file, `0o600`; the umask is taken off. */
  readonly mode: number;
}

/**
 * Replaces a file's content in one step: a temporary file beside it, synced, renamed over it, and the folder synced.
 *
 * @throws the file system's own error; the old content stands then and nothing is left beside it.
 */
export async function writeFileAtomic(
  path: string,
  content: string | Uint8Array,
  options: AtomicFileOptions,
): Promise<void> {
  const dir = dirname(path);
  const temporary = join(dir, `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);
  try {
    await writeSynced(await open(temporary, 'wx', options.mode), content);
    await rename(temporary, path);
  } catch (error) {
    await removeLeftover(temporary);
    throw error;
  }
  await syncDir(dir);
}

async function writeSynced(file: FileHandle, content: string | Uint8Array): Promise<void> {
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function removeLeftover(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}

/** Makes a rename or a new entry in a folder survive a power cut (fsync(2): a file's own sync does not sync its name). */
export async function syncDir(dir: string): Promise<void> {
  const handle = await open(dir, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
