/** What is laid over the packages of a first image, and what is taken out. Pure. */

export interface FirstFile {
  /** Absolute path in the guest. */
  readonly path: string;
  readonly mode: number;
  readonly content: string;
}

/** Units that only wait, or that do work nobody wants in a box that lives for an hour. */
const MASKED_UNITS = [
  'apt-daily.timer',
  'apt-daily-upgrade.timer',
  'e2scrub_all.timer',
  'e2scrub_reap.service',
  'systemd-networkd-wait-online.service',
] as const;

export const FIRST_FILES: readonly FirstFile[] = [
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

/** Each clone is given a host key of its own, and packages are fetched anew. */
export const REMOVED_PATTERNS = [/^etc\/ssh\/ssh_host_/, /^var\/cache\/apt\/archives\/.*\.deb$/, /^var\/lib\/apt\/lists\/.+/];
