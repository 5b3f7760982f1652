/** Reads and writes single files of an ext4 filesystem that is not mounted, by debugfs(8). */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, posix, resolve } from 'node:path';
import { AppError } from '../../core/app-error.ts';
import { newId } from '../../core/ids.ts';
import {
  type DiskEntries,
  contentName,
  failureLines,
  parseStats,
  planWrites,
  quote,
  statScript,
} from './debugfs-script.ts';
import { type GuestEntry, MAX_SYMLINKS } from './guest-tree.ts';
import { runTool } from './tool.ts';

/** A file that is read whole; far above any list of packages. */
const MAX_READ_BYTES = 64 * 2 ** 20;
const ABSENT = /: (File not found by ext2_lookup|Ext2 inode is not a directory)\s*$/;

interface DebugfsOptions {
  /** Takes what is on its way in or out. */
  readonly tempDir: string;
  readonly signal: AbortSignal | undefined;
}

/**
 * Replaces files and symlinks: one run of debugfs to look, or two where symlinks lead elsewhere, and one to write.
 *
 * @throws AppError REQUEST_INVALID for names that cannot be written; ROOTFS_INVALID where something is in the way;
 * DISK_FULL where the filesystem, or the host's, is full; HOST_TOOL_FAILED. After the last two the filesystem must
 * be checked, or thrown away.
 */
export async function writeGuestFiles(imagePath: string, entries: DiskEntries, options: DebugfsOptions): Promise<void> {
  const known = new Map<string, GuestEntry>();
  await withTempDir(options, async (debugfs) => {
    const image = resolve(imagePath);
    for (let plan = planWrites(entries, known); ; plan = planWrites(entries, known)) {
      if ('unknown' in plan) {
        for (const [path, entry] of await lookUp(debugfs, image, plan.unknown)) known.set(path, entry);
        continue;
      }
      if (plan.script.trim() === '') return;
      for (const [index, file] of entries.files.entries()) {
        await writeFile(join(debugfs.dir, contentName(index)), file.content, { mode: 0o600 });
      }
      const { failures } = await debugfs.run(image, plan.script, { write: true });
      if (failures.length > 0) throw writeFailure(imagePath, failures);
      return;
    }
  });
}

function writeFailure(imagePath: string, failures: readonly string[]): AppError {
  const words = failures.slice(0, 8).join('\n');
  const details = { path: imagePath, words };
  if (/no space left on device/i.test(words)) {
    return new AppError('DISK_FULL', `The disk became full while files were written into ${imagePath}.`, { details });
  }
  if (/Could not allocate (block|inode) in ext2 filesystem/.test(words)) {
    return new AppError('DISK_FULL', `The filesystem in ${imagePath} is full.`, {
      hint: 'Give the disk a larger size.',
      details,
    });
  }
  return new AppError('HOST_TOOL_FAILED', `debugfs could not write into ${imagePath}: ${failures[0] ?? ''}`, {
    details,
  });
}

/**
 * Reads one file whole; symlinks are followed inside the filesystem.
 *
 * @returns undefined where nothing is there, or a symlink leads nowhere.
 * @throws AppError ROOTFS_INVALID where it is no regular file, or larger than 64 MiB.
 */
export async function readGuestFile(
  imagePath: string,
  guestPath: string,
  options: DebugfsOptions,
): Promise<Uint8Array | undefined> {
  const image = resolve(imagePath);
  return withTempDir(options, async (debugfs) => {
    let path = guestPath;
    for (let followed = 0; followed <= MAX_SYMLINKS; followed += 1) {
      const entry = (await lookUp(debugfs, image, [path])).get(path);
      if (entry === undefined || entry.type === 'absent') return undefined;
      if (entry.type === 'file' && entry.sizeBytes <= MAX_READ_BYTES) return dump(debugfs, image, path);
      if (entry.type !== 'symlink') {
        const why = entry.type === 'file' ? `has ${entry.sizeBytes} bytes` : 'is none';
        throw new AppError('ROOTFS_INVALID', `${path} in ${imagePath} cannot be read as a file: it ${why}.`, {
          details: { path: imagePath, guestPath, entry },
        });
      }
      // A target of more than 59 bytes lies in a block of its own, as a file's content does.
      const target = entry.target ?? Buffer.from(await dump(debugfs, image, path)).toString('utf8');
      path = posix.resolve(posix.dirname(path), target);
    }
    return undefined;
  });
}

interface Debugfs {
  readonly dir: string;
  run(
    image: string,
    script: string,
    options?: { readonly write: boolean },
  ): Promise<{ readonly stdout: string; readonly failures: readonly string[] }>;
}

async function lookUp(debugfs: Debugfs, image: string, paths: readonly string[]): Promise<Map<string, GuestEntry>> {
  const { stdout, failures } = await debugfs.run(image, statScript(paths));
  assertRead(
    image,
    failures.filter((line) => !ABSENT.test(line)),
  );
  return parseStats(stdout, paths);
}

async function dump(debugfs: Debugfs, image: string, path: string): Promise<Uint8Array> {
  const { failures } = await debugfs.run(image, `dump ${quote(path)} dumped\n`);
  assertRead(image, failures);
  return readFile(join(debugfs.dir, 'dumped'));
}

function assertRead(image: string, failures: readonly string[]): void {
  if (failures.length === 0) return;
  throw new AppError('HOST_TOOL_FAILED', `debugfs could not read ${image}: ${failures[0] ?? ''}`, {
    details: { path: image, words: failures.slice(0, 8).join('\n') },
  });
}

/** A folder of ours alone, for commands and content: what is written may be a private key. */
async function withTempDir<T>(options: DebugfsOptions, work: (debugfs: Debugfs) => Promise<T>): Promise<T> {
  await mkdir(options.tempDir, { recursive: true, mode: 0o700 });
  // A name that staging lists as one of its own: what a crash leaves is removed at the next start.
  const dir = join(options.tempDir, newId('tmp'));
  await mkdir(dir, { mode: 0o700 });
  try {
    return await work({
      dir,
      async run(image, script, { write } = { write: false }) {
        await writeFile(join(dir, 'commands'), script, { mode: 0o600 });
        const mode = write ? ['-w'] : [];
        const result = await runTool(['debugfs', ...mode, '-f', 'commands', '--', image], {
          cwd: dir,
          okStatuses: [0, 1],
          ...(options.signal ? { signal: options.signal } : {}),
        });
        return { stdout: result.stdout, failures: failureLines(result.stderr) };
      },
    });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
