/** What a first image holds: as little as a VM needs to boot, to be reached, and to be built upon. */
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
  readonly mirror: string | undefined;
  readonly proxy: string | undefined;
  /** `root`, or `unshare` for an ordinary user (mmdebstrap(1), MODES). */
  readonly mode: 'root' | 'unshare';
}

/**
 * mmdebstrap's argv. Without a mirror it uses Debian's own, with the release's updates and security suites; with one
 * only what that holds.
 */
export function mmdebstrapArgv(options: MmdebstrapOptions): [string, ...string[]] {
  const packages = [...new Set([...BOOT_PACKAGES, ...options.packages])];
  return [
    options.program,
    '--variant=minbase',
    `--mode=${options.mode}`,
    '--format=tar',
    `--include=${packages.join(',')}`,
    // Every virtio driver goes into the initial ramdisk, whatever the machine that makes the image has.
    '--essential-hook=mkdir -p "$1/etc/initramfs-tools/conf.d"',
    '--essential-hook=echo MODULES=most >"$1/etc/initramfs-tools/conf.d/banger"',
    '--aptopt=Acquire::Retries "3"',
    ...(options.proxy === undefined ? [] : [`--aptopt=Acquire::http::Proxy "${options.proxy}"`]),
    options.release,
    options.tarPath,
    ...(options.mirror === undefined ? [] : [options.mirror]),
  ];
}
