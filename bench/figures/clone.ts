/** The clone of an image's root filesystem, against `cp`: where the filesystem shares blocks, and where it does not. */
import { mkdir, rm, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { cloneFile } from '../../src/adapters/disks/clone.ts';
import type { Undo } from '../../src/core/undo.ts';
import { ProcessError, run } from '../../src/host/process.ts';
import { findProgram } from '../../src/host/search-path.ts';
import type { Bench } from '../bench.ts';
import type { Figure, RunPlan, Series, Skip } from '../figure.ts';
import { makeWorkDir } from '../guest.ts';
import { inTurn, timed } from '../in-turn.ts';
import { perPair } from '../progress.ts';
import { withUndo } from '../with-undo.ts';

const SPARSE = 'clone, sparse copy';
const REFLINK = 'clone, reflink on XFS';
const MINUTE_MS = 60_000;
const TIMEOUT_MS = 2 * MINUTE_MS;
/** More than the image's own blocks; the smallest XFS that mkfs.xfs makes is 300 MiB. */
const XFS_BYTES = 8 * 2 ** 30;

export const clone: Figure = {
  name: 'clone',
  runs: 40,
  budgetMs: 4 * MINUTE_MS,
  usualMs: MINUTE_MS / 2,
  needs: 'image',
  measure,
};

async function measure(bench: Bench, plan: RunPlan): Promise<readonly (Series | Skip)[]> {
  const { rootfsPath } = await bench.image();
  return withUndo(async (undo) => {
    const workDir = await makeWorkDir(bench.banger, undo);
    const sparse = await series(bench, plan, {
      title: SPARSE,
      source: rootfsPath,
      dir: workDir,
      flags: ['--sparse=always'],
    });
    const mountPoint = await mountXfs(workDir, undo, plan.signal);
    if ('skipped' in mountPoint) return [sparse, { title: REFLINK, ...mountPoint }];
    const source = join(mountPoint.dir, 'rootfs.ext4');
    await run(['cp', '--sparse=always', rootfsPath, source], { signal: plan.signal, timeoutMs: TIMEOUT_MS });
    const flags = ['--reflink=always'];
    return [sparse, await series(bench, plan, { title: REFLINK, source, dir: mountPoint.dir, flags })];
  });
}

async function series(
  bench: Bench,
  plan: RunPlan,
  work: { readonly title: string; readonly source: string; readonly dir: string; readonly flags: readonly string[] },
): Promise<Series> {
  const { title, source, dir, flags } = work;
  const target = join(dir, 'clone');
  const sides = {
    async banger(signal: AbortSignal): Promise<number> {
      const durationMs = await timed(() => cloneFile(source, target, signal));
      await rm(target);
      return durationMs;
    },
    async byHand(signal: AbortSignal): Promise<number> {
      const argv = ['cp', ...flags, source, target] as const;
      const durationMs = await timed(() => run(argv, { signal, timeoutMs: TIMEOUT_MS }));
      await rm(target);
      return durationMs;
    },
  };
  const samples = await inTurn(sides, { ...plan, warmUp: true }, perPair(bench, title, plan));
  const goal = { of: 'ratio', atMost: 1 } as const;
  return { ...samples, title, unit: 'ms', goal, against: `cp ${flags.join(' ')}` };
}

/** An XFS of the bench's own, in a file. @returns why not, where this machine cannot. */
async function mountXfs(
  workDir: string,
  undo: Undo,
  signal: AbortSignal,
): Promise<{ readonly dir: string } | { readonly skipped: string }> {
  if ((await findProgram('mkfs.xfs')) === undefined) return { skipped: 'mkfs.xfs is missing (package xfsprogs)' };
  if (process.getuid?.() !== 0) return { skipped: 'only root can mount a filesystem' };
  const file = join(workDir, 'xfs');
  const dir = join(dirname(file), 'mounted');
  await writeFile(file, '');
  await truncate(file, XFS_BYTES);
  await mkdir(dir);
  try {
    await run(['mkfs.xfs', '-q', '-m', 'reflink=1', file], { signal, timeoutMs: TIMEOUT_MS });
    await run(['mount', '-t', 'xfs', '-o', 'loop', file, dir], { signal, timeoutMs: TIMEOUT_MS });
  } catch (error) {
    if (!(error instanceof ProcessError) || error.failure !== 'exit') throw error;
    return { skipped: error.message };
  }
  undo.add(`mount ${dir}`, async () => {
    await run(['umount', dir], { timeoutMs: TIMEOUT_MS });
  });
  return { dir };
}
