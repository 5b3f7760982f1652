/** banger's own network namespace: the daemon, VMMs, bridge and rules live in it, pasta joins it to the outside. */
import { copyFile, mkdir, realpath, rm, statfs } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { AppError, abortCause } from '../../core/app-error.ts';
import { writeFileAtomic } from '../../host/atomic-file.ts';
import { hasCode } from '../../host/error-code.ts';
import type { Paths } from '../../host/paths.ts';
import { awaitPastaEnd, ensurePasta, findPasta, namespacePath } from './pasta.ts';
import { NAMESPACE_NAME_SERVER } from './resolver.ts';
import { runTool } from './tool.ts';

/** statfs(2)'s f_type of a namespace that is mounted on a file: NSFS_MAGIC of linux/magic.h. */
const NSFS_MAGIC = 0x6e736673;

/** From the making of the name to the mounting of the namespace on it, in another process. */
const HALF_MADE_TIMEOUT_MS = 1_000;
const HALF_MADE_INTERVAL_MS = 20;

const RESOLV_CONF = '/etc/resolv.conf';
/** Folder in the runtime folder that is laid over /etc where there is nothing to mount upon. */
const OVERLAY_DIR = 'etc';

export interface NamespaceOptions {
  readonly paths: Paths;
  readonly signal: AbortSignal;
}

export interface EnsuredNamespace {
  /** Name under /run/netns. */
  readonly name: string;
  /** Goes before a program's own argv: runs it in the namespace, with mounts of its own. */
  readonly argvPrefix: readonly [string, ...string[]];
  /** False where the host has no way out: guests with NAT reach nothing until the next `ensureNamespace`. */
  readonly outside: boolean;
  /** The host's own IPv4 addresses: guests are refused these (`FirewallOptions.refusedAddresses`). */
  readonly hostAddresses: readonly string[];
}

/**
 * Makes the namespace, and joins it to the outside; what is there already is kept. Two may call it at once.
 * Call it in the host's namespaces.
 *
 * @throws AppError NETWORK_UNAVAILABLE, HOST_TOOL_MISSING, each with the command that mends it; the signal's reason.
 */
export async function ensureNamespace({ paths, signal }: NamespaceOptions): Promise<EnsuredNamespace> {
  const name = paths.namespaceName;
  await mkdir(paths.runtimeDir, { recursive: true, mode: 0o700 });
  await makeNamespace(name, signal);
  await runTool(['ip', '-netns', name, 'link', 'set', 'dev', 'lo', 'up'], { signal });
  const outside = await ensurePasta(paths, signal);
  await writeFileAtomic(paths.resolvConf, `nameserver ${NAMESPACE_NAME_SERVER}\n`, { mode: 0o644 });
  return { name, argvPrefix: enterArgv(name), outside, hostAddresses: hostAddresses() };
}

/**
 * Removes the namespace and waits for its pasta to end; does nothing where there is none. Processes in it keep the
 * nameless rest of it until they end.
 *
 * It works from inside too, with mounts of one's own: `ip netns delete` takes the mount of this mount namespace away,
 * and unlinking the name takes it away in every other (Linux 3.18: unlink(2) of a mount point elsewhere detaches it).
 */
export async function removeNamespace({ paths }: { readonly paths: Paths }): Promise<void> {
  const pasta = await findPasta(paths);
  const argv = ['ip', 'netns', 'delete', paths.namespaceName] as const;
  const { exitStatus, stderr } = await runTool(argv, { okStatuses: [0, 1] });
  if (exitStatus !== 0 && !/no such file/i.test(stderr)) {
    throw new AppError('NETWORK_UNAVAILABLE', `The network namespace could not be removed: ${stderr.trim()}`, {
      hint: `ip netns delete ${paths.namespaceName}`,
    });
  }
  if (pasta) await awaitPastaEnd(pasta);
  await rm(paths.pastaPid, { force: true });
}

/** True where the name stands for a namespace, and not for an empty file that a crash or a restart left. */
export async function namespaceExists(name: string): Promise<boolean> {
  try {
    return (await statfs(namespacePath(name))).type === NSFS_MAGIC;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}

/**
 * Lays `paths.resolvConf` over /etc/resolv.conf. Call it in a private mount namespace: nothing of it is seen outside.
 *
 * A symbolic link is followed (systemd-resolved's), so its target is what is covered. Where there is no file at all,
 * a read-only overlay puts one into /etc, since the host's /etc must not be written.
 *
 * @throws AppError NETWORK_UNAVAILABLE, HOST_TOOL_MISSING.
 */
export async function bindResolvConf(paths: Paths): Promise<void> {
  const target = await resolveTarget();
  if (target !== undefined) {
    await runTool(['mount', '--bind', paths.resolvConf, target]);
    return;
  }
  const upper = join(paths.runtimeDir, OVERLAY_DIR);
  await mkdir(upper, { recursive: true, mode: 0o755 });
  await copyFile(paths.resolvConf, join(upper, 'resolv.conf'));
  // Relative, since a path may hold the characters that separate mount's options and overlay's layers.
  await runTool(['mount', '-t', 'overlay', '-o', `ro,lowerdir=${OVERLAY_DIR}:/etc`, 'overlay', '/etc'], {
    cwd: paths.runtimeDir,
  });
}

function enterArgv(name: string): [string, ...string[]] {
  return ['nsenter', `--net=${namespacePath(name)}`, 'unshare', '--mount', '--propagation', 'private'];
}

async function makeNamespace(name: string, signal: AbortSignal): Promise<void> {
  if (await namespaceExists(name)) return;
  const argv = ['ip', 'netns', 'add', name] as const;
  const { exitStatus, stderr } = await runTool(argv, { signal, okStatuses: [0, 1] });
  if (exitStatus === 0) return;
  if (!/file exists/i.test(stderr)) {
    throw new AppError('NETWORK_UNAVAILABLE', `A network namespace could not be made: ${stderr.trim()}`, {
      hint: 'Run banger as root, on a kernel with network namespaces.',
      details: { name, stderr },
    });
  }
  // Another is just making it, or the name was left without a namespace.
  if (await appearsSoon(name, signal)) return;
  await runTool(['ip', 'netns', 'delete', name], { signal });
  await runTool(argv, { signal });
}

async function appearsSoon(name: string, signal: AbortSignal): Promise<boolean> {
  const deadline = performance.now() + HALF_MADE_TIMEOUT_MS;
  while (performance.now() < deadline) {
    if (await namespaceExists(name)) return true;
    try {
      await delay(HALF_MADE_INTERVAL_MS, undefined, { signal });
    } catch (error) {
      throw abortCause(signal, error);
    }
  }
  return false;
}

function hostAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter((entry) => entry.family === 'IPv4' && !entry.internal)
    .map((entry) => entry.address);
}

async function resolveTarget(): Promise<string | undefined> {
  try {
    return await realpath(RESOLV_CONF);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}
