/** Which packages a first image holds, and how they are fetched. Pure. */

/** As little as a VM needs to boot, to be reached, and to be built upon. */
export const BOOT_PACKAGES = [
  'ca-certificates',
  'dbus',
  'initramfs-tools',
  'iproute2',
  'kmod',
  'less',
  'linux-image-cloud-amd64',
  'openssh-server',
  'procps',
  'systemd-sysv',
  'udev',
  'zstd',
] as const;

export interface MmdebstrapOptions {
  readonly program: string;
  readonly release: string;
  readonly packages: readonly string[];
  readonly tarPath: string;
  /** guest/bootstrap/setup-hook.sh, where it was laid. */
  readonly hookPath: string;
  /** `root`, or `unshare` for an ordinary user (mmdebstrap(1), MODES). */
  readonly mode: 'root' | 'unshare';
}

/**
 * mmdebstrap's command line. Nothing that is only true of this host (a proxy, retries) is given as an option of apt:
 * mmdebstrap writes those into the image. No mirror is named: only then does mmdebstrap give the image the release's
 * updates and security suites, whose addresses the hook replaces where the config has others.
 */
export function mmdebstrapArgv(options: MmdebstrapOptions): [string, ...string[]] {
  const packages = [...new Set([...BOOT_PACKAGES, ...options.packages])];
  const argv: [string, ...string[]] = [
    options.program,
    '--variant=minbase',
    `--mode=${options.mode}`,
    '--format=tar',
    `--include=${packages.join(',')}`,
    `--setup-hook=${options.hookPath}`,
    options.release,
    options.tarPath,
  ];
  if (options.mode === 'unshare') return argv;
  // As root mmdebstrap mounts into the tree it makes. In namespaces of its own every mount and every process of it
  // goes when it goes, however it ends: nothing can be left that a removal of the tree would walk into, or that would
  // write into it. What it is started by must end with the daemon (`endsWithUs`): unshare alone would live on.
  return ['unshare', '--mount-proc', '--propagation=private', '--pid', '--fork', '--kill-child=SIGKILL', '--', ...argv];
}
