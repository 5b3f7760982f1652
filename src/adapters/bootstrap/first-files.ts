/** What is laid over the packages of a first image. Pure. */
import {
  AGENT_BINARY,
  AGENT_LINK,
  AGENT_VERSION,
  builtAsset,
  rootfsAsset,
  type RootfsFile,
  ROOTFS_FILES,
} from '../../core/builds/rootfs-files.ts';

export interface FirstFile extends RootfsFile {
  readonly content: string;
}

/** Units that only wait, or that do work nobody wants in a box that lives for an hour. */
const MASKED_UNITS = [
  'apt-daily-upgrade.timer',
  'apt-daily.timer',
  'e2scrub_all.timer',
  'e2scrub_reap.service',
  // There is no screen, and no firmware that keeps crash records.
  'getty@tty1.service',
  'modprobe@drm.service',
  'modprobe@efi_pstore.service',
  'systemd-networkd-wait-online.service',
  'systemd-pstore.service',
] as const;

/** They look for what a banger VM never has: a partition table on its root disk, and an image to resume from. */
const MASKED_GENERATORS = ['systemd-gpt-auto-generator', 'systemd-hibernate-resume-generator'] as const;

/**
 * Of `systemd-update-done`: /etc and /var are as new as /usr. Without it the first boot of every VM rebuilds caches and
 * makes users that the packages have just made (ConditionNeedsUpdate= in systemd.unit(5)): 5 s in software emulation.
 */
const UP_TO_DATE = '# Written by banger: the packages have brought /etc and /var up to date.\n';

/** sshd checks its settings when it starts; the check before that only doubles the time. */
const SSH_UNIT_SETTINGS = '# Written by banger: sshd checks its settings itself.\n[Service]\nExecStartPre=\n';

export const FIRST_FILES: readonly FirstFile[] = [
  // The disk is checked on the host before its first boot, and by the initial ramdisk before it is mounted.
  { path: '/etc/fstab', mode: 0o644, content: '/dev/vda / ext4 defaults 0 1\n' },
  { path: '/etc/hostname', mode: 0o644, content: 'banger\n' },
  { path: '/etc/hosts', mode: 0o644, content: '127.0.0.1 localhost\n127.0.1.1 banger\n::1 localhost ip6-localhost\n' },
  // Empty, and not absent: systemd makes an id at the first boot without taking it for a first installation.
  { path: '/etc/machine-id', mode: 0o444, content: '' },
  { path: '/etc/resolv.conf', mode: 0o644, content: '' },
  { path: '/etc/.updated', mode: 0o644, content: UP_TO_DATE },
  { path: '/var/.updated', mode: 0o644, content: UP_TO_DATE },
  { path: '/etc/systemd/system/ssh.service.d/50-banger.conf', mode: 0o644, content: SSH_UNIT_SETTINGS },
];

export const FIRST_LINKS: readonly { readonly path: string; readonly target: string }[] = [
  ...MASKED_UNITS.map((unit) => ({ path: `/etc/systemd/system/${unit}`, target: '/dev/null' })),
  ...MASKED_GENERATORS.map((name) => ({ path: `/etc/systemd/system-generators/${name}`, target: '/dev/null' })),
  { path: '/etc/systemd/system/default.target', target: '/usr/lib/systemd/system/multi-user.target' },
  {
    path: '/etc/systemd/system/multi-user.target.wants/banger-network.service',
    target: '/etc/systemd/system/banger-network.service',
  },
  AGENT_LINK,
];

/** Guest assets that a VM is reached by; the rest comes with builds. */
export const REACHED_BY: readonly { readonly file: RootfsFile; readonly asset: string }[] = [
  ...ROOTFS_FILES.filter(
    ({ path }) =>
      path.startsWith('/etc/ssh/') ||
      path.startsWith('/etc/systemd/network/') ||
      path.includes('banger-network') ||
      path.includes('banger-agent'),
  ).map((file) => ({ file, asset: rootfsAsset(file) })),
  ...[AGENT_BINARY, AGENT_VERSION].map((file) => ({ file, asset: builtAsset(file) })),
];
