/** Files of guests. Those of `guest/rootfs` lie there at their own path in the guest; those that are built have no folder. */

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
export const AGENT_UNIT: RootfsFile = { path: '/etc/systemd/system/banger-agent.service', mode: 0o644 };
export const AGENT_MODULES: RootfsFile = { path: '/etc/modules-load.d/banger-agent.conf', mode: 0o644 };
export const SSHD_SETTINGS: RootfsFile = { path: '/etc/ssh/sshd_config.d/50-banger.conf', mode: 0o644 };
export const OPENCODE_UNIT: RootfsFile = { path: '/etc/systemd/system/banger-opencode.service', mode: 0o644 };
export const MISE_PROFILE: RootfsFile = { path: '/etc/profile.d/mise.sh', mode: 0o644 };
export const DOCKER_MODULES: RootfsFile = { path: '/etc/modules-load.d/banger-docker.conf', mode: 0o644 };
export const DOCKER_SYSCTL: RootfsFile = { path: '/etc/sysctl.d/90-banger-docker.conf', mode: 0o644 };

export const ROOTFS_FILES: readonly RootfsFile[] = [
  NETWORK_SCRIPT,
  NETWORK_UNIT,
  NETWORKD_EXCEPTION,
  AGENT_UNIT,
  AGENT_MODULES,
  SSHD_SETTINGS,
  OPENCODE_UNIT,
  MISE_PROFILE,
  DOCKER_MODULES,
  DOCKER_SYSCTL,
];

/** Built: the program that speaks for a guest. */
export const AGENT_BINARY: RootfsFile = { path: '/usr/local/libexec/banger-agent', mode: 0o755 };
/** Built: its version and a newline. A root filesystem that has this file has the agent. */
export const AGENT_VERSION: RootfsFile = { path: '/usr/local/libexec/banger-agent.version', mode: 0o644 };

/** Starts the agent at each boot, as `systemctl enable` would. */
export const AGENT_LINK = {
  path: '/etc/systemd/system/sysinit.target.wants/banger-agent.service',
  target: AGENT_UNIT.path,
};

/** A file of `guest/rootfs` among the guest assets. */
export function rootfsAsset(file: RootfsFile): string {
  return `rootfs${file.path}`;
}

/** A file that is built, among the guest assets. */
export function builtAsset(file: RootfsFile): string {
  return `built/${file.path.slice(file.path.lastIndexOf('/') + 1)}`;
}
