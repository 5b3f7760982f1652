/** Lays files into a tree that is to become a guest's root filesystem. */
import { chmod, lstat, mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../../core/app-error.ts';
import type { GuestAssets } from '../../core/builds/ports.ts';
import { hasCode } from '../../host/error-code.ts';
import { FIRST_FILES, FIRST_LINKS, REACHED_BY } from './first-files.ts';

/** Files, links and absences of a first image. @throws AppError BOOTSTRAP_FAILED where a folder is a link. */
export async function layFirstFiles(treeDir: string, assets: GuestAssets): Promise<void> {
  for (const file of FIRST_FILES) await layFile(treeDir, file.path, file);
  for (const { file, asset } of REACHED_BY) {
    const { content } = await assets.read(asset);
    await layFile(treeDir, file.path, { content, mode: file.mode });
  }
  for (const { path, target } of FIRST_LINKS) await symlink(target, await emptyPlace(treeDir, path));
  await removeHostKeys(treeDir);
}

/** Each clone is given a host key of its own. */
async function removeHostKeys(treeDir: string): Promise<void> {
  const dir = join(treeDir, 'etc/ssh');
  const keys = (await readdir(dir)).filter((name) => name.startsWith('ssh_host_'));
  for (const name of keys) await rm(join(dir, name));
}

async function layFile(
  treeDir: string,
  path: string,
  file: { readonly content: string | Uint8Array; readonly mode: number },
): Promise<void> {
  const place = await emptyPlace(treeDir, path);
  await writeFile(place, file.content, { flag: 'wx', mode: file.mode });
  // The umask of the daemon takes bits away.
  await chmod(place, file.mode);
}

/** Makes an entry's folders and removes what has its name; a link there would lead to the host's own files. */
async function emptyPlace(treeDir: string, path: string): Promise<string> {
  const names = path.split('/').filter((name) => name !== '');
  let place = treeDir;
  for (const name of names.slice(0, -1)) {
    place = join(place, name);
    const found = await lstat(place).catch(absent);
    if (found === undefined) {
      await mkdir(place);
      await chmod(place, 0o755);
    } else if (!found.isDirectory()) {
      throw new AppError('BOOTSTRAP_FAILED', `${path} cannot be written: the packages have a link or file on its way.`);
    }
  }
  place = join(place, names.at(-1) ?? '');
  await rm(place, { force: true });
  return place;
}

function absent(error: unknown): undefined {
  if (hasCode(error, 'ENOENT')) return undefined;
  throw error;
}
