/** The jail of one machine: what lies where, who owns it, and the jailer's command line. Pure. */
import { createHash } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import type { MachineSpec } from '../../core/vms/engine.ts';
import { metricsPathOf, type MachinePlaces } from './places.ts';

/** Below it one group for each machine. */
const PARENT_CGROUP = 'banger';
/** Users from the first on that jails may have; one each, so as many VMs can run at once. */
export const OWNER_COUNT = 65_536;
export const CGROUP_MOUNT = '/sys/fs/cgroup';

/** What Firecracker needs beside the guest's memory, and the page cache of its disk for as long as nobody else wants it. */
const MIN_EXTRA_MEMORY_BYTES = 256 * 2 ** 20;
/** Its own three threads, one for each processor, and what KVM adds. */
const EXTRA_TASKS = 64;

export interface JailSettings {
  readonly jailerPath: string;
  /** Without symbolic links: the jailer names the folder after the file that it finds at the end of them. */
  readonly firecrackerPath: string;
  /** Holds the jails of this instance and of no other; on the filesystem of the machines' disks. */
  readonly baseDir: string;
  /** The host has one hierarchy of cgroups (v2) that we may write to. */
  readonly hasCgroups: boolean;
  /** Joined before it gives up its rights; ours where left out. */
  readonly netnsPath?: string | undefined;
}

/** One of the machine's files as it stands in the jail. */
export interface JailFile {
  readonly from: string;
  readonly to: string;
  /**
   * `own`: the VMM writes to it, so it must be the very file, and becomes the VMM's. `shared`: it is read by others too:
   * the file itself where everybody may read it, else a copy.
   */
  readonly kind: 'own' | 'shared';
}

export interface JailPlan {
  /** Removed whole with the machine. */
  readonly jailDir: string;
  readonly rootDir: string;
  /** Ours to make, below the root. */
  readonly dirs: readonly string[];
  readonly files: readonly JailFile[];
  /** Short paths of ours that lead to the sockets, whose own paths may be too long to be connected to. */
  readonly links: readonly { readonly path: string; readonly target: string }[];
  /** As seen from inside. */
  readonly places: MachinePlaces;
}

/** @see firecracker's docs/jailer.md: the root is `BASE/EXEC-FILE-NAME/ID/root`. */
function jailDirOf(settings: Pick<JailSettings, 'baseDir' | 'firecrackerPath'>, vmId: string): string {
  return join(settings.baseDir, basename(settings.firecrackerPath), vmId);
}

export function planJail(spec: MachineSpec, settings: Pick<JailSettings, 'baseDir' | 'firecrackerPath'>): JailPlan {
  const jailDir = jailDirOf(settings, spec.id);
  const rootDir = join(jailDir, 'root');
  const inside = (path: string): string => join(rootDir, path);
  const places: MachinePlaces = {
    kernel: '/kernel',
    initrd: spec.initrdPath === undefined ? undefined : '/initrd',
    drives: spec.drives.map(({ id }) => `/drives/${id}`),
    console: '/console.log',
    metrics: '/metrics.ndjson',
    apiSocket: jailedApiSocket(spec.controlSocketPath),
    vsock: '/run/agent.sock',
  };
  const files: JailFile[] = [
    { from: spec.kernelPath, to: inside(places.kernel), kind: 'shared' },
    ...(spec.initrdPath === undefined
      ? []
      : [{ from: spec.initrdPath, to: inside('/initrd'), kind: 'shared' as const }]),
    ...spec.drives.map(({ id, path, readOnly }) => ({
      from: path,
      to: inside(`/drives/${id}`),
      kind: readOnly ? ('shared' as const) : ('own' as const),
    })),
    { from: spec.consolePath, to: inside(places.console), kind: 'own' },
    { from: metricsPathOf(spec), to: inside(places.metrics), kind: 'own' },
  ];
  return {
    jailDir,
    rootDir,
    dirs: [rootDir, inside('/drives')],
    files,
    links: [
      { path: spec.controlSocketPath, target: inside(places.apiSocket) },
      { path: spec.agentSocketPath, target: inside(places.vsock) },
    ],
    places,
  };
}

/**
 * Bears the mark of the control socket outside, whole path and all: by it a VMM whose daemon was killed is known to be of
 * this machine and of this instance. Short, whatever the path outside: `/run` is the jailer's own folder.
 */
export function jailedApiSocket(controlSocketPath: string): string {
  return `/run/api-${createHash('sha256').update(controlSocketPath).digest('hex').slice(0, 16)}.sock`;
}

/** @param owner user and group of the VMM, of no other process. */
export function jailerArgv(
  spec: Pick<MachineSpec, 'id' | 'cpus' | 'memoryBytes'>,
  settings: JailSettings,
  jail: { readonly owner: number; readonly places: MachinePlaces },
): [string, ...string[]] {
  const { owner, places } = jail;
  const options: readonly (readonly string[])[] = [
    ['--id', spec.id],
    ['--exec-file', settings.firecrackerPath],
    ['--uid', String(owner), '--gid', String(owner)],
    ['--chroot-base-dir', settings.baseDir],
    settings.netnsPath === undefined ? [] : ['--netns', settings.netnsPath],
    settings.hasCgroups ? cgroupOptions(spec) : [],
    // Neither --daemonize nor --new-pid-ns: the process that was started is the VMM, in a session that we gave it.
    ['--', '--api-sock', places.apiSocket],
  ];
  return [settings.jailerPath, ...options.flat()];
}

/** The jailer's default is version 1, on whose absence it fails as soon as a limit is given. */
function cgroupOptions({ cpus, memoryBytes }: Pick<MachineSpec, 'cpus' | 'memoryBytes'>): string[] {
  const extraBytes = Math.max(MIN_EXTRA_MEMORY_BYTES, Math.floor(memoryBytes / 4));
  return [
    ...['--cgroup-version', '2', '--parent-cgroup', PARENT_CGROUP],
    ...['--cgroup', `memory.max=${memoryBytes + extraBytes}`],
    ...['--cgroup', `pids.max=${cpus + EXTRA_TASKS}`],
  ];
}

/** @param controllers content of the root's cgroup.controllers: those that groups below it can have. */
export function hasControllers(controllers: string): boolean {
  const names = controllers.trim().split(/\s+/);
  return names.includes('memory') && names.includes('pids');
}

/** The cgroup that the jailer makes of a jail's id; there may be none. */
export function cgroupDirOf(jailDir: string, cgroupMount: string): string {
  return join(cgroupMount, PARENT_CGROUP, basename(jailDir));
}

/**
 * True of `BASE/NAME/vm-0123456789` and of nothing that must not be removed: the path comes from a record on disk.
 */
export function isJailDir(path: string): boolean {
  const base = dirname(dirname(path));
  return path.startsWith('/') && base !== '/' && path === join(path) && /^vm-[0-9a-f]{10}$/.test(basename(path));
}

/**
 * The first user that nobody has, from a place in the range that the seed gives, so that machines started one
 * after the other do not get the same.
 *
 * @returns undefined where all are taken.
 */
export function freeOwner(
  seed: string,
  range: { readonly first: number; readonly count: number },
  taken: ReadonlySet<number>,
): number | undefined {
  const start = createHash('sha256').update(seed).digest().readUInt32BE() % range.count;
  for (let step = 0; step < range.count; step += 1) {
    const owner = range.first + ((start + step) % range.count);
    if (!taken.has(owner)) return owner;
  }
  return undefined;
}

/**
 * Whether a process may become any user of the range: the host's root can, root of a user namespace only those that were
 * given to it.
 *
 * @param uidMap content of /proc/self/uid_map (user_namespaces(7)): inside, outside, count on each line.
 */
export function coversOwners(uidMap: string, range: { readonly first: number; readonly count: number }): boolean {
  return uidMap.split('\n').some((line) => {
    const [inside, , count] = line.trim().split(/\s+/).map(Number);
    if (inside === undefined || count === undefined) return false;
    return inside <= range.first && range.first + range.count <= inside + count;
  });
}

/** @param mountinfo content of /proc/self/mountinfo (proc(5)). @returns options of the mount that holds `path`. */
export function mountOptionsAt(mountinfo: string, path: string): readonly string[] {
  let best: { readonly point: string; readonly options: readonly string[] } | undefined;
  for (const line of mountinfo.split('\n')) {
    const fields = line.split(' ');
    const point = fields[4]?.replaceAll('\\040', ' ');
    if (point === undefined) continue;
    const holds = point === '/' || path === point || path.startsWith(`${point}/`);
    // Of two mounts at one point the later lies on top.
    if (holds && point.length >= (best?.point.length ?? 0)) best = { point, options: fields[5]?.split(',') ?? [] };
  }
  return best?.options ?? [];
}
