import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../../core/app-error.ts';
import type { GuestAsset, GuestAssets } from '../../core/builds/ports.ts';
import { sha256Digest } from '../../core/digest.ts';

/**
 * The project's own `guest/` folder. Each file is read once: a build sees one state of it, even while it is edited.
 *
 * @param dir absolute path of the folder.
 */
export function createGuestAssets(dir: string): GuestAssets {
  const cache = new Map<string, Promise<GuestAsset>>();
  return {
    /** @throws AppError INTERNAL where the installation lacks the file. */
    read(path) {
      const known = cache.get(path);
      if (known) return known;
      const reading = readAsset(join(dir, path));
      cache.set(path, reading);
      return reading;
    },
  };
}

async function readAsset(path: string): Promise<GuestAsset> {
  try {
    const content = await readFile(path);
    return { content, digest: sha256Digest(content) };
  } catch (error) {
    throw new AppError('INTERNAL', `A file of banger's own is missing or unreadable: ${path}.`, {
      hint: 'Install banger again; its folder guest/ is not complete.',
      cause: error,
    });
  }
}
