/** Looks at, mends and grows ext4 filesystems in plain files; nothing is mounted. */
import { type FileHandle, open } from 'node:fs/promises';
import { AppError, describe } from '../../core/app-error.ts';
import type { FilesystemFacts } from '../../core/vms/ports.ts';
import { formatSize } from '../../contracts/size.ts';
import { hasCode } from '../../host/error-code.ts';
import { HEAD_BYTES, type Superblock, parseSuperblock } from './superblock.ts';
import { runTool } from './tool.ts';

/** e2fsck(8): 1 = errors corrected, 2 = corrected and the system should be rebooted; anything from 4 is left uncorrected. */
const CHECK_OK_STATUSES = [0, 1, 2, 3];

interface Ext4File {
  readonly superblock: Superblock;
  readonly fileBytes: number;
  readonly filesystemBytes: number;
}

/** @throws AppError ROOTFS_INVALID saying what the file is instead; IMAGE_FILES_MISSING. */
export async function readExt4(path: string): Promise<Ext4File> {
  const file = await openImage(path);
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw new AppError('ROOTFS_INVALID', `${path} is not a regular file.`, { details: { path } });
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    const found = parseSuperblock(buffer.subarray(0, bytesRead));
    if (typeof found === 'string') {
      throw new AppError('ROOTFS_INVALID', `${path} is ${found}, not an ext4 filesystem.`, {
        details: { path, found },
      });
    }
    const filesystemBytes = found.blockCount * found.blockSizeBytes;
    if (filesystemBytes > stat.size) {
      throw new AppError(
        'ROOTFS_INVALID',
        `${path} is cut off: its filesystem has ${filesystemBytes} bytes, the file ${stat.size}.`,
        { hint: 'Copy the whole file again.', details: { path, filesystemBytes, fileBytes: stat.size } },
      );
    }
    return { superblock: found, fileBytes: stat.size, filesystemBytes };
  } finally {
    await file.close();
  }
}

async function openImage(path: string): Promise<FileHandle> {
  try {
    return await open(path);
  } catch (error) {
    throw new AppError('IMAGE_FILES_MISSING', `The root filesystem ${path} cannot be read: ${describe(error)}`, {
      details: { path },
      cause: error,
    });
  }
}

/** @throws AppError ROOTFS_INVALID, IMAGE_FILES_MISSING. */
export async function inspectExt4(path: string): Promise<FilesystemFacts> {
  const { superblock, fileBytes } = await readExt4(path);
  const usedBlocks = superblock.blockCount - superblock.freeBlockCount;
  return { sizeBytes: fileBytes, usedBytes: usedBlocks * superblock.blockSizeBytes };
}

/**
 * Checks the whole filesystem and mends what can be mended.
 *
 * @throws AppError ROOTFS_INVALID where faults remain.
 */
export async function checkExt4(path: string, signal: AbortSignal): Promise<void> {
  const result = await runTool(['e2fsck', '-fy', path], {
    signal,
    // 4: faults remain, 8: could not work on it, 12: both; judged here, with its words.
    okStatuses: [...CHECK_OK_STATUSES, 4, 5, 6, 7, 8, 12],
  });
  if (CHECK_OK_STATUSES.includes(result.exitStatus)) return;
  const words = `${result.stdout}\n${result.stderr}`.trim().split('\n').slice(-8).join('\n');
  if (/no space left on device/i.test(words)) {
    throw new AppError('DISK_FULL', `The disk became full while ${path} was mended.`, { details: { path, words } });
  }
  throw new AppError('ROOTFS_INVALID', `The filesystem in ${path} is damaged beyond what e2fsck could mend.`, {
    hint: 'Make or copy the image again.',
    details: { path, exitStatus: result.exitStatus, words },
  });
}

/**
 * Grows file and filesystem to `sizeBytes`; the new room is a hole, so it needs no space yet.
 *
 * @throws AppError SIZE_INVALID where that would shrink it, or the host's filesystem cannot have such a file.
 */
export async function growExt4(path: string, sizeBytes: number, signal: AbortSignal): Promise<void> {
  const before = await readExt4(path);
  const smallest = Math.max(before.fileBytes, before.filesystemBytes);
  if (sizeBytes < smallest) {
    throw new AppError(
      'SIZE_INVALID',
      `The size ${formatSize(sizeBytes)} (${sizeBytes}) is smaller than the filesystem's ${formatSize(smallest)} (${smallest}); a disk only grows.`,
      { details: { path, sizeBytes, currentBytes: smallest } },
    );
  }
  if (sizeBytes - before.filesystemBytes < before.superblock.blockSizeBytes) return;
  // resize2fs refuses a filesystem that was not checked since it was last mounted.
  await checkExt4(path, signal);
  await setFileSize(path, sizeBytes);
  try {
    await runTool(['resize2fs', path], { signal });
  } catch (error) {
    const after = await readExt4(path);
    if (after.filesystemBytes === before.filesystemBytes) await setFileSize(path, before.fileBytes);
    throw error;
  }
}

async function setFileSize(path: string, sizeBytes: number): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.truncate(sizeBytes);
  } catch (error) {
    if (!hasCode(error, 'EFBIG', 'EINVAL')) throw error;
    throw new AppError(
      'SIZE_INVALID',
      `The host's filesystem cannot have a file of ${formatSize(sizeBytes)}: ${path}`,
      {
        hint: 'Choose a smaller size.',
        details: { path, sizeBytes },
        cause: error,
      },
    );
  } finally {
    await file.close();
  }
}
