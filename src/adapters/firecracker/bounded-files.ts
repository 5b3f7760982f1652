/**
 * Keeps what a VMM writes without end from filling the disk. Firecracker opens its files for good and writes on from where
 * it was, so they cannot be set aside; what is old in them is made a hole, which takes no room and moves nothing.
 */
import { stat } from 'node:fs/promises';
import { describe } from '../../core/app-error.ts';
import { hasCode } from '../../host/error-code.ts';
import { run } from '../../host/process.ts';

const LOOK_EVERY_MS = 60_000;
const FALLOCATE_TIMEOUT_MS = 30_000;
const BLOCK_BYTES = 4096;
/** `st_blocks` counts by these, whatever the filesystem (stat(2)). */
const STAT_BLOCK_BYTES = 512;

/** Taken on the disk by each at most, but for what comes between two looks. */
const MAX_BYTES = 16 * 2 ** 20;

/**
 * Looks at the files now and every minute.
 *
 * @param log is told the first failure: a filesystem that knows no holes would say so every minute.
 * @returns what ends that.
 */
export function keepSmall(paths: readonly string[], log: (line: string) => void): () => void {
  let hasFailed = false;
  const look = async (): Promise<void> => {
    for (const path of paths) {
      try {
        await makeHole(path);
      } catch (error) {
        if (!hasFailed) log(`${path} cannot be kept small: ${describe(error)}`);
        hasFailed = true;
      }
    }
  };
  void look();
  const timer = setInterval(() => void look(), LOOK_EVERY_MS).unref();
  return () => clearInterval(timer);
}

async function makeHole(path: string): Promise<void> {
  const holeBytes = await wantedHole(path);
  if (holeBytes === 0) return;
  const range = ['--offset', '0', '--length', String(holeBytes)];
  await run(['fallocate', '--punch-hole', ...range, path], { timeoutMs: FALLOCATE_TIMEOUT_MS });
}

async function wantedHole(path: string): Promise<number> {
  try {
    const { size, blocks } = await stat(path);
    return holeSize(size, blocks * STAT_BLOCK_BYTES, MAX_BYTES);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return 0;
    throw error;
  }
}

/** How much of a file's beginning becomes a hole, so that half of what it may take is left; 0 while it takes less. Pure. */
export function holeSize(sizeBytes: number, takenBytes: number, maxBytes: number): number {
  if (takenBytes <= maxBytes) return 0;
  return Math.floor(Math.max(sizeBytes - maxBytes / 2, 0) / BLOCK_BYTES) * BLOCK_BYTES;
}
