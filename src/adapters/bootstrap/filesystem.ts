/** Makes an ext4 filesystem out of a folder, with nothing mounted. */
import { open } from 'node:fs/promises';
import { formatSize } from '../../contracts/size.ts';
import { AppError } from '../../core/app-error.ts';
import { ProcessError, run } from '../../host/process.ts';

const TIMEOUT_MS = 10 * 60_000;
/** Label of the filesystem: what a person sees who looks at the image. */
const LABEL = 'banger-root';
/** mkfs.ext4's own structures: journal (64 MiB from 2 GiB on) and inode tables, and some room for it to fit at all. */
const OVERHEAD_BYTES = 96 * 2 ** 20;

/**
 * @throws AppError SIZE_INVALID with the size that would do where the content does not fit; DISK_FULL,
 * HOST_TOOL_MISSING, BOOTSTRAP_FAILED.
 */
export async function makeFilesystem(
  treeDir: string,
  path: string,
  { sizeBytes, signal }: { readonly sizeBytes: number; readonly signal: AbortSignal },
): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.truncate(sizeBytes);
  } finally {
    await file.close();
  }
  try {
    // No block is kept back for root: everybody in such a guest is root.
    await run(['mkfs.ext4', '-q', '-F', '-L', LABEL, '-m', '0', '-d', treeDir, path], {
      endsWithUs: true,
      signal,
      timeoutMs: TIMEOUT_MS,
    });
  } catch (error) {
    if (!(error instanceof ProcessError) || signal.aborted) throw error;
    // mkfs.ext4 names what it could not do in the filesystem; the host's disk being full is another matter.
    if (!/could not allocate|ext2 filesystem too small|not enough space to build/i.test(error.stderr)) throw error;
    const neededBytes = await neededSize(treeDir, signal);
    throw new AppError(
      'SIZE_INVALID',
      `The packages do not fit into ${formatSize(sizeBytes)}; they need about ${formatSize(neededBytes)}.`,
      { hint: 'Ask for more with --size.', details: { sizeBytes, neededBytes }, cause: error },
    );
  }
}

async function neededSize(treeDir: string, signal: AbortSignal): Promise<number> {
  const { stdout } = await run(['du', '--summarize', '--block-size=1', treeDir], { signal, timeoutMs: TIMEOUT_MS });
  const contentBytes = Number.parseInt(stdout, 10);
  // An inode takes 256 bytes for every 16 KiB of the filesystem (mke2fs.conf(5)).
  return Math.ceil(contentBytes * 1.03) + OVERHEAD_BYTES;
}
