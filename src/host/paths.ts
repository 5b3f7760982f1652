/** Every name on disk, and every limit the system sets on names. Documented in docs/on-disk.md. */
import { join, resolve } from 'node:path';

/** sockaddr_un.sun_path is 108 bytes with its closing NUL (unix(7)). */
export const SOCKET_PATH_MAX_BYTES = 107;

export interface Paths {
  /** `BANGER_HOME`, or the state root where the XDG folders are used: what an instance is named after. */
  readonly homePath: string;
  readonly configFile: string;
  readonly stateDir: string;
  readonly database: string;
  readonly imagesDir: string;
  readonly vmsDir: string;
  readonly operationsDir: string;
  /** Things being made; emptied at every start of the daemon. */
  readonly stagingDir: string;
  /** Folders that Firecracker's VMMs are jailed in. */
  readonly jailsDir: string;
  /** Disks of failed builds that the user asked to keep. */
  readonly failedDir: string;
  readonly sshDir: string;
  readonly knownHosts: string;
  /** Host keys by `NAME.vm`. */
  readonly vmHosts: string;
  /** For the user's own ssh: what `banger ssh-config` installs. */
  readonly sshConfig: string;
  readonly daemonLog: string;
  readonly cacheDir: string;
  /** 0700; sockets and what must not outlive a boot. */
  readonly runtimeDir: string;
  readonly daemonSocket: string;
  readonly daemonLock: string;
  readonly pastaPid: string;
  readonly pastaLog: string;
  readonly resolvConf: string;
  /** Where the daemon hears from its forwarder. */
  readonly forwarderSocket: string;
  readonly forwarderLog: string;
  /** FIFO at which the forwarder waits until it is needed: whoever opens it wakes it. */
  readonly forwarderGate: string;
  /** The same for the one in reserve. */
  readonly forwarderSpareGate: string;
  /** What `banger dns enable` has changed on the host, for `disable` to undo. */
  readonly dnsRecord: string;
  readonly machinesDir: string;
  /** Name under /run/netns. */
  readonly namespaceName: string;
}

interface Environment {
  readonly [name: string]: string | undefined;
}

/**
 * Where everything lies: below `BANGER_HOME` where it is set, else in the XDG folders
 * (XDG Base Directory Specification 0.8).
 */
export function resolvePaths(env: Environment, uid: number): Paths {
  // Made absolute: `./b`, `/srv/b` and `/srv/b/` must not be three instances.
  const moved = env['BANGER_HOME'] ? resolve(env['BANGER_HOME']) : undefined;
  const home = env['HOME'] ?? '/';
  const xdg = (name: string, fallback: string): string => {
    const value = env[name];
    return value?.startsWith('/') ? value : join(home, fallback);
  };
  if (moved) {
    return layout(moved, {
      config: join(moved, 'config'),
      state: join(moved, 'state'),
      cache: join(moved, 'cache'),
      runtime: join(moved, 'run'),
    });
  }
  const state = join(xdg('XDG_STATE_HOME', '.local/state'), 'banger');
  const runtimeRoot = env['XDG_RUNTIME_DIR'];
  return layout(state, {
    config: join(xdg('XDG_CONFIG_HOME', '.config'), 'banger'),
    state,
    cache: join(xdg('XDG_CACHE_HOME', '.cache'), 'banger'),
    runtime: runtimeRoot?.startsWith('/') ? join(runtimeRoot, 'banger') : `/tmp/banger-runtime-${uid}`,
  });
}

function layout(
  homePath: string,
  roots: { readonly config: string; readonly state: string; readonly cache: string; readonly runtime: string },
): Paths {
  const { config, state, cache, runtime } = roots;
  return {
    homePath,
    configFile: join(config, 'config.toml'),
    stateDir: state,
    database: join(state, 'state.db'),
    imagesDir: join(state, 'images'),
    vmsDir: join(state, 'vms'),
    operationsDir: join(state, 'operations'),
    stagingDir: join(state, 'staging'),
    jailsDir: join(state, 'jails'),
    failedDir: join(state, 'failed'),
    sshDir: join(state, 'ssh'),
    knownHosts: join(state, 'ssh', 'known_hosts'),
    vmHosts: join(state, 'ssh', 'vm_hosts'),
    sshConfig: join(state, 'ssh', 'config'),
    daemonLog: join(state, 'daemon.log'),
    cacheDir: cache,
    runtimeDir: runtime,
    daemonSocket: join(runtime, 'banger.sock'),
    daemonLock: join(runtime, 'daemon.lock'),
    pastaPid: join(runtime, 'pasta.pid'),
    pastaLog: join(runtime, 'pasta.log'),
    resolvConf: join(runtime, 'resolv.conf'),
    forwarderSocket: join(runtime, 'forwarder.sock'),
    forwarderLog: join(runtime, 'forwarder.log'),
    forwarderGate: join(runtime, 'forwarder.gate'),
    forwarderSpareGate: join(runtime, 'forwarder.spare.gate'),
    dnsRecord: join(state, 'dns.json'),
    machinesDir: join(runtime, 'vms'),
    get namespaceName() {
      return `banger-${sha256(homePath).slice(0, 8)}`;
    },
  };
}

/** node:crypto takes 3 ms to load, which a short command that needs no hash does not pay. */
function sha256(text: string): string {
  return process.getBuiltinModule('node:crypto').createHash('sha256').update(text).digest('hex');
}

/** Files of one image's folder. */
export function imageFiles(dir: string): {
  readonly rootfs: string;
  readonly kernel: string;
  readonly initrd: string;
  readonly modules: string;
  readonly packages: string;
} {
  return {
    rootfs: join(dir, 'rootfs.ext4'),
    kernel: join(dir, 'kernel'),
    initrd: join(dir, 'initrd'),
    modules: join(dir, 'modules'),
    packages: join(dir, 'packages.txt'),
  };
}

/** Beside a VM's console, where its VMM counts what it does. */
export const METRICS_FILE = 'metrics.ndjson';

/** Files of one VM's folder; `dir` is its durable folder, `runDir` its short-lived one. */
export function machineFiles(
  dir: string,
  runDir: string,
): {
  readonly disk: string;
  readonly console: string;
  readonly vmmLog: string;
  readonly metrics: string;
  readonly runtime: string;
  readonly controlSocket: string;
  readonly agentSocket: string;
} {
  return {
    disk: join(dir, 'disk.ext4'),
    console: join(dir, 'console.log'),
    vmmLog: join(dir, 'vmm.log'),
    metrics: join(dir, METRICS_FILE),
    runtime: join(dir, 'runtime.json'),
    controlSocket: join(runDir, 'qmp.sock'),
    agentSocket: join(runDir, 'agent.sock'),
  };
}

/** What scripts/build-agent.ts makes below the package's folder: the program that speaks for a guest. */
export function agentFiles(root: string): {
  readonly dir: string;
  readonly program: string;
  /** The program's version and a newline. */
  readonly version: string;
  readonly quickjsLicence: string;
} {
  const dir = join(root, 'dist', 'agent');
  return {
    dir,
    program: join(dir, 'banger-agent'),
    version: join(dir, 'banger-agent.version'),
    quickjsLicence: join(dir, 'LICENSE.quickjs'),
  };
}

/** True where a unix socket can be bound there; longer paths are cut silently by some programs. */
export function fitsSocket(path: string): boolean {
  return Buffer.byteLength(path) <= SOCKET_PATH_MAX_BYTES;
}
