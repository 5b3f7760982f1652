/** First images of Debian: mmdebstrap to a tar, the tree to ext4, nothing mounted where it could stay. */
import { chmod, copyFile, mkdir, mkdtemp, readFile, readdir, rm, statfs, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { BootstrapRequest } from '../../contracts/build.ts';
import type { Config } from '../../contracts/config.ts';
import { formatSize } from '../../contracts/size.ts';
import { AppError } from '../../core/app-error.ts';
import type { GuestAssets } from '../../core/builds/ports.ts';
import { aptMirrors } from '../../core/builds/steps/apt.ts';
import { parseDpkgStatus } from '../../core/images/dpkg-status.ts';
import type { Bootstrapper, StagedImage } from '../../core/images/ports.ts';
import type { StageContext, StageRunner } from '../../core/operations/operation-context.ts';
import { run } from '../../host/process.ts';
import { makeFilesystem } from './filesystem.ts';
import { layFirstFiles } from './guest-files.ts';
import { mmdebstrapArgv } from './package-set.ts';
import { bootstrapFailure } from './tool-failure.ts';

export interface DebianBootstrapperOptions {
  /** The project's `guest/` folder: what a VM is reached by comes from there, and the hook of mmdebstrap. */
  readonly assets: GuestAssets;
  readonly uid: number;
  readonly apt: Config['apt'];
  /** Another program in mmdebstrap's place. */
  readonly mmdebstrapPath?: string;
}

/** Debian's packages come from far away; an archive that sends nothing is given up by apt itself much earlier. */
const PACKAGES_TIMEOUT_MS = 60 * 60_000;
const UNPACK_TIMEOUT_MS = 10 * 60_000;
/** Files of the guest folder; the hook finds its library beside itself. */
const HOOK = 'bootstrap/setup-hook.sh';
const HOOK_LIBRARY = 'lib/apt-sources.sh';
/** What the smallest image needs on its way: tree and tar, then tree and image. */
const LEAST_FREE_BYTES = 1.5 * 2 ** 30;

export function createDebianBootstrapper(options: DebianBootstrapperOptions): Bootstrapper {
  return {
    async bootstrap(request, staged, run) {
      const stage = inWords(run);
      // Everything on its way lies there, the tool's own temporary files too, and goes with it.
      const workDir = await mkdtemp(join(staged.dir, 'bootstrap-'));
      const tarPath = join(workDir, 'packages.tar');
      const treeDir = join(workDir, 'tree');
      try {
        await stage('packages', async (context) => {
          await assertRoom(staged.dir);
          await fetchPackages(request, { tarPath, workDir }, context);
        });
        const packages = await stage('files', async (context) => {
          await unpack(tarPath, treeDir, context.signal);
          await layFirstFiles(treeDir, options.assets);
          await takeBootFiles(treeDir, staged);
          const installed = parseDpkgStatus(await readFile(join(treeDir, 'var/lib/dpkg/status'), 'utf8'));
          context.note(`${installed.length} packages`);
          return installed;
        });
        await stage('filesystem', async (context) => {
          const { sizeBytes } = request;
          await makeFilesystem(treeDir, staged.rootfsPath, { sizeBytes, signal: context.signal });
          context.note(formatSize(sizeBytes));
        });
        return packages;
      } finally {
        await rm(workDir, { recursive: true, force: true });
      }
    },
  };

  async function fetchPackages(
    request: BootstrapRequest,
    { tarPath, workDir }: { readonly tarPath: string; readonly workDir: string },
    context: StageContext,
  ): Promise<void> {
    const { apt, uid, mmdebstrapPath } = options;
    const argv = mmdebstrapArgv({
      program: mmdebstrapPath ?? 'mmdebstrap',
      release: request.release,
      packages: request.packages,
      tarPath,
      hookPath: await layHook(workDir),
      mode: uid === 0 ? 'root' : 'unshare',
    });
    await run(argv, {
      endsWithUs: true,
      signal: context.signal,
      timeoutMs: PACKAGES_TIMEOUT_MS,
      env: {
        TMPDIR: workDir,
        LC_ALL: 'C.UTF-8',
        // Of use on this host and for this run: the image's own apt must not know it.
        ...(apt.proxy === undefined ? {} : { http_proxy: apt.proxy, https_proxy: apt.proxy }),
        ...aptMirrors({ apt }),
      },
      onLine: (line) => context.log(line),
    });
  }

  /** @returns its path. */
  async function layHook(workDir: string): Promise<string> {
    const hookPath = join(workDir, basename(HOOK));
    for (const asset of [HOOK, HOOK_LIBRARY]) {
      const { content } = await options.assets.read(asset);
      await writeFile(join(workDir, basename(asset)), content, { mode: 0o700 });
    }
    return hookPath;
  }
}

/** Stages whose failures are told in the catalogue's words. */
function inWords(run: StageRunner): StageRunner {
  return (name, work) =>
    run(name, async (context) => {
      try {
        return await work(context);
      } catch (error) {
        throw bootstrapFailure(error, context.signal);
      }
    });
}

/** @throws AppError DISK_FULL before anything is fetched. */
async function assertRoom(dir: string): Promise<void> {
  const { bavail, bsize } = await statfs(dir);
  const freeBytes = bavail * bsize;
  if (freeBytes >= LEAST_FREE_BYTES) return;
  throw new AppError(
    'DISK_FULL',
    `Making a first image needs ${formatSize(LEAST_FREE_BYTES)} on its way, and ${formatSize(freeBytes)} is free in ${dir}.`,
    { details: { dir, freeBytes, neededBytes: LEAST_FREE_BYTES } },
  );
}

/** Device files are left out: the guest's kernel makes its own, and here they would need rights. */
async function unpack(tarPath: string, treeDir: string, signal: AbortSignal): Promise<void> {
  await mkdir(treeDir);
  await run(['tar', '-C', treeDir, '-x', '-p', '--numeric-owner', '--exclude=./dev/*', '-f', tarPath], {
    endsWithUs: true,
    signal,
    timeoutMs: UNPACK_TIMEOUT_MS,
  });
  // It becomes `/`, whatever our umask is.
  await chmod(treeDir, 0o755);
  await rm(tarPath);
}

async function takeBootFiles(treeDir: string, staged: StagedImage): Promise<void> {
  const bootDir = join(treeDir, 'boot');
  const names = (await readdir(bootDir)).toSorted();
  const kernel = names.findLast((name) => name.startsWith('vmlinuz-'));
  const initrd = names.findLast((name) => name.startsWith('initrd.img-'));
  if (kernel === undefined || initrd === undefined) {
    throw new AppError('BOOTSTRAP_FAILED', 'The packages brought no kernel with an initial ramdisk.', {
      details: { boot: names },
    });
  }
  await copyFile(join(bootDir, kernel), staged.kernelPath);
  await copyFile(join(bootDir, initrd), staged.initrdPath);
  for (const path of [staged.kernelPath, staged.initrdPath]) await chmod(path, 0o600);
}
