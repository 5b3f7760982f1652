/** What is laid over the packages of a first image. Pure. */
import { type RootfsFile, ROOTFS_FILES } from '../../core/builds/rootfs-files.ts';

export interface FirstFile extends RootfsFile {
  readonly content: string;
}

/** Units that only wait, or that do work nobody wants in a box that lives for an hour. */
const MASKED_UNITS = [
  'apt-daily-upgrade.timer',
  'apt-daily.timer',
  'e2scrub_all.timer',
  'e2scrub_reap.service',
  'systemd-networkd-wait-online.service',
] as const;

export const FIRST_FILES: readonly FirstFile[] = [
  // The disk is checked on the host before its first boot, and by the initial ramdisk before it is mounted.
  { path: '/etc/fstab', mode: 0o644, content: '/dev/vda / ext4 defaults 0 1\n' },
  { path: '/etc/hostname', mode: 0o644, content: 'banger\n' },
  { path: '/etc/hosts', mode: 0o644, content: '127.0.0.1 localhost\n127.0.1.1 banger\n::1 localhost ip6-localhost\n' },
  // Empty, and not absent: systemd makes an id at the first boot without taking it for a first installation.
  { path: '/etc/machine-id', mode: 0o444, content: '' },
  { path: '/etc/resolv.conf', mode: 0o644, content: '' },
];

export const FIRST_LINKS: readonly { readonly path: string; readonly target: string }[] = [
  ...MASKED_UNITS.map((unit) => ({ path: `/etc/systemd/system/${unit}`, target: '/dev/null' })),
  {
    path: '/etc/systemd/system/multi-user.target.wants/banger-network.service',
    target: '/etc/systemd/system/banger-network.service',
  },
];

/** Files of the guest folder that a VM is reached by; the rest comes with builds. */
export const REACHED_BY: readonly RootfsFile[] = ROOTFS_FILES.filter(
  ({ path }) =>
    path.startsWith('/etc/ssh/') || path.startsWith('/etc/systemd/network/') || path.includes('banger-network'),
);
