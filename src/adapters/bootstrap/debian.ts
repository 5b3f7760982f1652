import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { BootstrapRequest } from '../../contracts/build.ts';
import { formatSize } from '../../contracts/size.ts';
import { AppError, describe } from '../../core/app-error.ts';
import { ROOTFS_FILES, rootfsAsset, type RootfsFile } from '../../core/builds/rootfs-files.ts';
import type { GuestAssets } from '../../core/builds/ports.ts';
import { parseDpkgStatus } from '../../core/images/dpkg-status.ts';
import type { Bootstrapper, StagedImage } from '../../core/images/ports.ts';
import type { StageContext } from '../../core/operations/operation-context.ts';
import { ProcessError, run } from '../../host/process.ts';
import { FIRST_FILES, FIRST_LINKS, REMOVED_PATTERNS } from './first-files.ts';
import { mmdebstrapArgv } from './package-set.ts';

export interface DebianBootstrapperOptions {
  readonly assets: GuestAssets;
  readonly uid: number;
  readonly mirror: string | undefined;
  readonly proxy: string | undefined;
  /** Another program in mmdebstrap's place, for tests. */
  readonly mmdebstrapPath?: string;
}

const PACKAGES_TIMEOUT_MS = 30 * 60_000;
const FILES_TIMEOUT_MS = 10 * 60_000;
const LAST_WORDS = 12;
/** Files of the guest folder that a VM is reached by; the rest comes with builds. */
const REACHED_BY = ['/usr/local/libexec/banger-network-bootstrap', '/etc/systemd/system/banger-network.service'];

/** First images of Debian: mmdebstrap to a tar, the tree to ext4, nothing mounted. */
export function createDebianBootstrapper(options: DebianBootstrapperOptions): Bootstrapper {
  return {
    async bootstrap(request, staged, stage) {
      const workDir = await mkdtemp(join(staged.dir, 'bootstrap-'));
      try {
        const tarPath = join(workDir, 'packages.tar');
        const treeDir = join(workDir, 'tree');
        await stage('packages', (context) => fetchPackages(request, tarPath, options, context));
        const packages = await stage('files', async (context) => {
          await unpack(tarPath, treeDir, context.signal);
          await rm(tarPath);
          await layFiles(treeDir, options.assets);
          await takeBootFiles(treeDir, staged);
          const status = await readFile(join(treeDir, 'var/lib/dpkg/status'), 'utf8');
          const installed = parseDpkgStatus(status);
          context.note(`${installed.length} packages`);
          return installed;
        });
        await stage('filesystem', (context) => makeFilesystem(treeDir, staged.rootfsPath, request.sizeBytes, context));
        return packages;
      } finally {
        await rm(workDir, { recursive: true, force: true });
      }
    },
  };
}

async function fetchPackages(
  request: BootstrapRequest,
  tarPath: string,
  options: DebianBootstrapperOptions,
  context: StageContext,
): Promise<void> {
  const argv = mmdebstrapArgv({
    program: options.mmdebstrapPath ?? 'mmdebstrap',
    release: request.release,
    packages: request.packages,
    tarPath,
    mirror: options.mirror,
    proxy: options.proxy,
    mode: options.uid === 0 ? 'root' : 'unshare',
  });
  await toolStep('mmdebstrap', context.signal, () =>
    run(argv, {
      signal: context.signal,
      timeoutMs: PACKAGES_TIMEOUT_MS,
      // Beside the tar, so that what it leaves when it is killed goes with the staging folder.
      env: { TMPDIR: dirname(tarPath) },
      onLine: (line) => context.log(line),
    }),
  );
}

/** Device files come from the guest's own kernel; those of the tar would need rights to make. */
async function unpack(tarPath: string, treeDir: string, signal: AbortSignal): Promise<void> {
  await mkdir(treeDir, { mode: 0o755 });
  await toolStep('tar', signal, () =>
    run(['tar', '-C', treeDir, '-xpf', tarPath, '--numeric-owner', '--exclude=./dev/*'], {
      signal,
      timeoutMs: FILES_TIMEOUT_MS,
    }),
  );
  await chmod(treeDir, 0o755);
}

/** The tree is ours alone and fresh from packages; links in it are replaced, never followed. */
async function layFiles(treeDir: string, assets: GuestAssets): Promise<void> {
  for (const path of await readdir(treeDir, { recursive: true })) {
    if (REMOVED_PATTERNS.some((pattern) => pattern.test(path))) await rm(join(treeDir, path), { recursive: true, force: true });
  }
  for (const file of FIRST_FILES) await layFile(treeDir, file, file.content);
  for (const file of ROOTFS_FILES.filter(isNeededFirst)) {
    await layFile(treeDir, file, (await assets.read(rootfsAsset(file))).content);
  }
  for (const { path, target } of FIRST_LINKS) {
    const place = join(treeDir, path);
    await mkdir(dirname(place), { recursive: true, mode: 0o755 });
    await rm(place, { force: true });
    await symlink(target, place);
  }
}

function isNeededFirst({ path }: RootfsFile): boolean {
  return REACHED_BY.includes(path) || path.startsWith('/etc/ssh/') || path.startsWith('/etc/systemd/network/');
}

async function layFile(treeDir: string, file: RootfsFile, content: string | Uint8Array): Promise<void> {
  const place = join(treeDir, file.path);
  await mkdir(dirname(place), { recursive: true, mode: 0o755 });
  await rm(place, { force: true });
  await writeFile(place, content, { flag: 'wx', mode: file.mode });
  // The umask of the daemon takes bits away.
  await chmod(place, file.mode);
}

async function takeBootFiles(treeDir: string, staged: StagedImage): Promise<void> {
  const names = (await readdir(join(treeDir, 'boot'))).toSorted();
  const kernel = names.findLast((name) => name.startsWith('vmlinuz-'));
  const initrd = names.findLast((name) => name.startsWith('initrd.img-'));
  if (kernel === undefined || initrd === undefined) {
    throw new AppError('BOOTSTRAP_FAILED', 'The packages brought no kernel with an initial ramdisk.', {
      details: { boot: names },
    });
  }
  await copyFile(join(treeDir, 'boot', kernel), staged.kernelPath);
  await copyFile(join(treeDir, 'boot', initrd), staged.initrdPath);
}

async function makeFilesystem(treeDir: string, path: string, sizeBytes: number, context: StageContext): Promise<void> {
  await writeFile(path, '', { flag: 'wx', mode: 0o600 });
  await truncate(path, sizeBytes);
  const argv = ['mkfs.ext4', '-q', '-F', '-L', 'banger-root', '-m', '1', '-d', treeDir, path] as const;
  const made = run(argv, { signal: context.signal, timeoutMs: FILES_TIMEOUT_MS });
  await made.catch((error: unknown) => {
    if (error instanceof ProcessError && /could not allocate|no space|not enough space/i.test(error.stderr)) {
      throw new AppError('SIZE_INVALID', `The packages do not fit into ${formatSize(sizeBytes)}.`, {
        hint: 'Ask for more with --size.',
        details: { sizeBytes },
        cause: error,
      });
    }
    throw error;
  });
  context.note(formatSize(sizeBytes));
}

/** @throws AppError HOST_TOOL_MISSING, DISK_FULL, BOOTSTRAP_FAILED with the tool's last words; the reason of `signal`. */
async function toolStep(tool: string, signal: AbortSignal, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof ProcessError)) throw error;
    const words = `${error.stdout}\n${error.stderr}`.trim().split('\n').slice(-LAST_WORDS);
    if (error.failure === 'not-found') {
      throw new AppError('HOST_TOOL_MISSING', `${tool} is not installed.`, { hint: `apt-get install ${tool}`, cause: error });
    }
    const full = words.some((line) => /no space left/i.test(line));
    const lastError = words.findLast((line) => /^E:|error/i.test(line)) ?? describe(error);
    throw new AppError(full ? 'DISK_FULL' : 'BOOTSTRAP_FAILED', `${tool}: ${lastError}`, {
      details: { words },
      cause: error,
    });
  }
}
