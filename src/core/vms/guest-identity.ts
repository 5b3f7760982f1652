/** What makes a clone of an image a guest of its own: written into its disk before the first boot. Pure. */
import {
  NETWORK_SCRIPT,
  NETWORK_UNIT,
  NETWORKD_EXCEPTION,
  type RootfsFile,
  SSHD_SETTINGS,
} from '../builds/rootfs-files.ts';
import type { DiskFile, DiskSymlink } from './ports.ts';

export interface GuestIdentity {
  readonly hostname: string;
  readonly hostPrivateKey: string;
  readonly hostPublicKey: string;
  /** banger's key, in `authorized_keys` form. */
  readonly clientPublicKey: string;
  /** What /root/.ssh/authorized_keys holds already. */
  readonly authorizedKeys: string;
}

/** Files of the project's `guest/rootfs` folder that every guest needs to be reached, by their path in the guest. */
export const REACHABILITY_FILES: readonly RootfsFile[] = [
  NETWORK_SCRIPT,
  NETWORK_UNIT,
  NETWORKD_EXCEPTION,
  SSHD_SETTINGS,
];

/** Enables the network unit, as `systemctl enable` would. */
export const REACHABILITY_SYMLINKS: readonly DiskSymlink[] = [
  {
    path: '/etc/systemd/system/multi-user.target.wants/banger-network.service',
    target: '/etc/systemd/system/banger-network.service',
  },
];

export function identityFiles(identity: GuestIdentity): DiskFile[] {
  return [
    ...hostnameFiles(identity.hostname),
    { path: '/etc/ssh/ssh_host_ed25519_key', content: identity.hostPrivateKey, mode: 0o600 },
    { path: '/etc/ssh/ssh_host_ed25519_key.pub', content: `${identity.hostPublicKey}\n`, mode: 0o644 },
    {
      path: '/root/.ssh/authorized_keys',
      content: mergeAuthorizedKey(identity.authorizedKeys, identity.clientPublicKey),
      mode: 0o600,
    },
  ];
}

/** The guest's name, for itself. */
export function hostnameFiles(hostname: string): DiskFile[] {
  return [
    { path: '/etc/hostname', content: `${hostname}\n`, mode: 0o644 },
    { path: '/etc/hosts', content: hostsFile(hostname), mode: 0o644 },
  ];
}

function hostsFile(hostname: string): string {
  return [
    '127.0.0.1 localhost',
    `127.0.1.1 ${hostname}`,
    '::1 localhost ip6-localhost ip6-loopback',
    'ff02::1 ip6-allnodes',
    'ff02::2 ip6-allrouters',
    '',
  ].join('\n');
}

/** Adds a key once, whatever its comment; the keys that are there stay as they are. */
export function mergeAuthorizedKey(existing: string, key: string): string {
  const material = keyMaterial(key);
  const lines = existing.split('\n').filter((line) => line.trim() !== '');
  if (!lines.some((line) => line.includes(material))) lines.push(key.trim());
  return `${lines.join('\n')}\n`;
}

function keyMaterial(key: string): string {
  return key.trim().split(/\s+/).slice(0, 2).join(' ');
}
