import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../../core/app-error.ts';
import type { GuestAsset, GuestAssets } from '../../core/builds/ports.ts';
import { sha256Digest } from '../../core/digest.ts';

const BUILT = 'built/';

/**
 * The project's own `guest/` folder, and what is built for guests. Each file is read once: a build sees one state of it,
 * even while it is edited.
 *
 * @param dirs absolute paths: `guest` of the folder, `built` of what its sources were made into.
 */
export function createGuestAssets(dirs: { readonly guest: string; readonly built: string }): GuestAssets {
  const cache = new Map<string, Promise<GuestAsset>>();
  return {
    /** @throws AppError INTERNAL where the installation lacks the file. */
    read(path) {
      const known = cache.get(path);
      if (known) return known;
      const reading = path.startsWith(BUILT)
        ? readAsset(join(dirs.built, path.slice(BUILT.length)), 'Run scripts/setup: it makes the guest agent.')
        : readAsset(join(dirs.guest, path), 'Install banger again; its folder guest/ is not complete.');
      cache.set(path, reading);
      return reading;
    },
  };
}

async function readAsset(path: string, hint: string): Promise<GuestAsset> {
  try {
    const content = await readFile(path);
    return { content, digest: sha256Digest(content) };
  } catch (error) {
    throw new AppError('INTERNAL', `A file of banger's own is missing or unreadable: ${path}.`, {
      hint,
      cause: error,
    });
  }
}
