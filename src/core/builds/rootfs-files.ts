/** The files of `guest/rootfs`: each lies there at its own path in the guest. */

export interface RootfsFile {
  /** Absolute path in the guest. */
  readonly path: string;
  /** Permission bits. */
  readonly mode: number;
}

export const NETWORK_SCRIPT: RootfsFile = { path: '/usr/local/libexec/banger-network-bootstrap', mode: 0o755 };
export const NETWORK_UNIT: RootfsFile = { path: '/etc/systemd/system/banger-network.service', mode: 0o644 };
/** Keeps systemd-networkd, where it runs, away from the card. */
export const NETWORKD_EXCEPTION: RootfsFile = { path: '/etc/systemd/network/10-banger.network', mode: 0o644 };
export const SSHD_SETTINGS: RootfsFile = { path: '/etc/ssh/sshd_config.d/50-banger.conf', mode: 0o644 };
export const OPENCODE_UNIT: RootfsFile = { path: '/etc/systemd/system/banger-opencode.service', mode: 0o644 };
export const MISE_PROFILE: RootfsFile = { path: '/etc/profile.d/mise.sh', mode: 0o644 };
export const DOCKER_MODULES: RootfsFile = { path: '/etc/modules-load.d/banger-docker.conf', mode: 0o644 };
export const DOCKER_SYSCTL: RootfsFile = { path: '/etc/sysctl.d/90-banger-docker.conf', mode: 0o644 };

export const ROOTFS_FILES: readonly RootfsFile[] = [
  NETWORK_SCRIPT,
  NETWORK_UNIT,
  NETWORKD_EXCEPTION,
  SSHD_SETTINGS,
  OPENCODE_UNIT,
  MISE_PROFILE,
  DOCKER_MODULES,
  DOCKER_SYSCTL,
];

/** The file's place among the guest assets. */
export function rootfsAsset(file: RootfsFile): string {
  return `rootfs${file.path}`;
}
