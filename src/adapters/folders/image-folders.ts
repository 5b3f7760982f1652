import {
  access,
  chmod,
  constants,
  copyFile,
  cp,
  mkdir,
  open,
  readFile,
  readdir,
  realpath,
  rename,
} from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { BootSet } from '../../contracts/image.ts';
import { AppError, describe } from '../../core/app-error.ts';
import { isId } from '../../core/ids.ts';
import type { ImageFolders, StagedImage } from '../../core/images/ports.ts';
import { syncDir, writeFileAtomic } from '../../host/atomic-file.ts';
import { hasCode } from '../../host/error-code.ts';
import { imageFiles, type Paths } from '../../host/paths.ts';
import { run } from '../../host/process.ts';
import { exists, isMissing, listOwned, makeOwned, ownedPath, removeOwned } from './owned-dir.ts';

/** Images' folders: made in staging, published by one rename. */
export function createImageFolders(paths: Pick<Paths, 'imagesDir' | 'stagingDir' | 'failedDir'>): ImageFolders {
  const { imagesDir, stagingDir, failedDir } = paths;
  return {
    async stage(key) {
      return stagedImage(await makeOwned(stagingDir, key));
    },
    discard: (key) => removeOwned(stagingDir, key),
    copyBootSet,
    async writePackages(staged, packages) {
      const text = packages.map((line) => `${line}\n`).join('');
      await writeFileAtomic(imageFiles(staged.dir).packages, text, { mode: 0o600 });
    },
    async readPackages(imageId) {
      try {
        const text = await readFile(imageFiles(ownedPath(imagesDir, imageId)).packages, 'utf8');
        return text.split('\n').filter((line) => line !== '');
      } catch (error) {
        if (isMissing(error)) return [];
        throw error;
      }
    },
    async publish(staged, imageId) {
      const dir = ownedPath(imagesDir, imageId);
      const source = ownedPath(stagingDir, basename(staged.dir));
      await mkdir(imagesDir, { recursive: true, mode: 0o700 });
      await syncFiles(source);
      // A folder of this id is what an interrupted publication left: no record speaks of it.
      await removeOwned(imagesDir, imageId);
      await rename(source, dir);
      await syncDir(imagesDir);
      return publishedFiles(dir);
    },
    remove: (imageId) => removeOwned(imagesDir, imageId),
    list: () => listOwned(imagesDir, isImageId),
    async keepFailed(key) {
      await mkdir(failedDir, { recursive: true, mode: 0o700 });
      const kept = ownedPath(failedDir, key);
      await rename(ownedPath(stagingDir, key), kept);
      return kept;
    },
    listStaged: () => listOwned(stagingDir, (name) => isImageId(name) || isId('tmp', name)),
    assertReadable,
  };
}

function isImageId(name: string): boolean {
  return isId('img', name);
}

function stagedImage(dir: string): StagedImage {
  const files = imageFiles(dir);
  return {
    dir,
    rootfsPath: files.rootfs,
    kernelPath: files.kernel,
    initrdPath: files.initrd,
    modulesPath: files.modules,
  };
}

/** @throws AppError DISK_FULL, IMAGE_FILES_MISSING; the reason of `signal`. */
async function copyBootSet(staged: StagedImage, boot: BootSet, signal: AbortSignal): Promise<void> {
  try {
    await copyReadOnly(boot.kernelPath, staged.kernelPath);
    signal.throwIfAborted();
    if (boot.initrdPath !== undefined) await copyReadOnly(boot.initrdPath, staged.initrdPath);
    signal.throwIfAborted();
    if (boot.modulesPath !== undefined) await copyTree(boot.modulesPath, staged.modulesPath, signal);
  } catch (error) {
    signal.throwIfAborted();
    throw copyFailure(error, staged.dir);
  }
}

async function copyReadOnly(source: string, target: string): Promise<void> {
  await copyFile(source, target, constants.COPYFILE_FICLONE);
  await chmod(target, 0o600);
}

async function copyTree(source: string, target: string, signal: AbortSignal): Promise<void> {
  // The folder itself may be named by a link (/lib/modules/current); what lies in it is copied as it is: `build` and
  // `source` of a modules tree lead to headers that are not part of it.
  await cp(await realpath(source), target, {
    recursive: true,
    verbatimSymlinks: true,
    mode: constants.COPYFILE_FICLONE,
    filter: () => {
      signal.throwIfAborted();
      return true;
    },
  });
}

function copyFailure(error: unknown, dir: string): unknown {
  if (hasCode(error, 'ENOSPC', 'EDQUOT')) {
    return new AppError('DISK_FULL', `The disk became full while files were copied into ${dir}.`, { cause: error });
  }
  if (hasCode(error, 'ENOENT', 'EACCES')) {
    return new AppError('IMAGE_FILES_MISSING', `A file of the image cannot be read: ${describe(error)}`, {
      cause: error,
    });
  }
  return error;
}

async function publishedFiles(dir: string): Promise<{ rootfsPath: string; boot: BootSet }> {
  const files = imageFiles(dir);
  return {
    rootfsPath: files.rootfs,
    boot: {
      kernelPath: files.kernel,
      ...((await exists(files.initrd)) && { initrdPath: files.initrd }),
      ...((await exists(files.modules)) && { modulesPath: files.modules }),
    },
  };
}

/** What the rename makes visible must be on the disk before it. */
async function syncFiles(dir: string): Promise<void> {
  for (const entry of await readdir(dir, { withFileTypes: true })) {
    if (entry.isFile()) await syncFile(join(dir, entry.name));
    // Thousands of small files: one sync of the filesystem is far cheaper than one for each (sync(1), syncfs(2)).
    else if (entry.isDirectory()) await run(['sync', '--file-system', dir]);
  }
  await syncDir(dir);
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** @throws AppError IMAGE_FILES_MISSING naming the first that cannot be read. */
async function assertReadable(files: readonly string[]): Promise<void> {
  for (const path of files) {
    try {
      await access(path, constants.R_OK);
    } catch (error) {
      throw new AppError('IMAGE_FILES_MISSING', `${path} cannot be read: ${describe(error)}`, {
        details: { path, folder: dirname(path) },
        cause: error,
      });
    }
  }
}
