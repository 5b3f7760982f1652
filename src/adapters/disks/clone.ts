/** Copies a disk image: shared blocks where the filesystem can, else a copy that skips holes. */
import { chmod, constants, copyFile, rm, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AppError } from '../../core/app-error.ts';
import { formatSize } from '../../contracts/size.ts';
import { hasCode } from '../../host/error-code.ts';
import { runTool } from './tool.ts';

/** Left free for whatever else writes to that filesystem meanwhile. */
const SPARE_BYTES = 64 * 2 ** 20;

/** What the filesystem says where it cannot share blocks, or not between these two places (ioctl_ficlonerange(2)). */
const NO_REFLINK: readonly string[] = ['ENOTSUP', 'EOPNOTSUPP', 'ENOTTY', 'EXDEV', 'EINVAL', 'ENOSYS', 'EPERM'];

/** Free for an ordinary user in the filesystem that holds `dir`, `bytes`. */
export async function freeBytes(dir: string): Promise<number> {
  const facts = await statfs(dir);
  return facts.bavail * facts.bsize;
}

/** Blocks that a file really occupies, `bytes`; st_blocks counts 512-byte units whatever the filesystem (inode(7)). */
export async function allocatedBytes(path: string): Promise<number> {
  return (await stat(path)).blocks * 512;
}

/**
 * Clones a file, 0600; nothing is left at `targetPath` where it fails.
 *
 * @throws AppError DISK_FULL; the signal's reason where it is aborted. An existing target is never overwritten (EEXIST).
 */
export async function cloneFile(
  sourcePath: string,
  targetPath: string,
  signal: AbortSignal,
): Promise<'reflink' | 'sparse copy'> {
  signal.throwIfAborted();
  if (await reflink(sourcePath, targetPath)) return 'reflink';
  await assertRoom(sourcePath, targetPath);
  try {
    // The target must not be there yet: ext4 takes a file that was cut to nothing for one that is being replaced, and
    // writes it out when it is closed (`auto_da_alloc`, ext4(5)), which costs as much as the copy. Who would have it
    // overwritten has been refused above; the daemon's umask makes it private from its birth.
    const flags = ['--sparse=always', '--reflink=never', '--no-clobber'] as const;
    await runTool(['cp', ...flags, '--', sourcePath, targetPath], { signal });
    await chmod(targetPath, 0o600);
  } catch (error) {
    await rm(targetPath, { force: true });
    throw error;
  }
  return 'sparse copy';
}

async function reflink(sourcePath: string, targetPath: string): Promise<boolean> {
  try {
    await copyFile(sourcePath, targetPath, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE_FORCE);
  } catch (error) {
    if (hasCode(error, ...NO_REFLINK)) return false;
    throw error;
  }
  // The copy has the source's mode, and a source may be read-only.
  await chmod(targetPath, 0o600);
  return true;
}

async function assertRoom(sourcePath: string, targetPath: string): Promise<void> {
  const dir = dirname(targetPath);
  const [needed, free] = await Promise.all([allocatedBytes(sourcePath), freeBytes(dir)]);
  if (free >= needed + SPARE_BYTES) return;
  throw new AppError(
    'DISK_FULL',
    `A copy of ${sourcePath} needs ${formatSize(needed)}, and ${formatSize(free)} is free in ${dir}.`,
    { details: { dir, neededBytes: needed, freeBytes: free, spareBytes: SPARE_BYTES } },
  );
}
