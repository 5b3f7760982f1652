/** The programs of the host that banger runs, and who needs which. */
import type { NETWORK_MODES } from '../../contracts/config.ts';
import type { DoctorTopic } from '../../contracts/doctor.ts';

type Job = Exclude<DoctorTopic, 'all'>;
type NetworkMode = (typeof NETWORK_MODES)[number];

interface ProgramGroup {
  /** Permanent name of the check. */
  readonly check: string;
  /** Debian package that brings them. */
  readonly debianPackage: string;
  readonly programs: readonly HostProgram[];
  /** Jobs that need it; `vm` includes everything a VM's disk, network and console need. */
  readonly jobs: readonly Job[];
  /** Left out: needed in every network mode. */
  readonly networkMode?: NetworkMode;
  /** What it is for, in half a sentence. */
  readonly purpose: string;
}

/** Arguments that make a program tell its version and end. */
export const HOST_PROGRAMS = {
  'qemu-system-x86_64': ['--version'],
  mmdebstrap: ['--version'],
  'mkfs.ext4': ['-V'],
  e2fsck: ['-V'],
  resize2fs: [],
  debugfs: ['-V'],
  nft: ['--version'],
  ip: ['-V'],
  nsenter: ['--version'],
  unshare: ['--version'],
  flock: ['--version'],
  setpriv: ['--version'],
  pasta: ['--version'],
  ssh: ['-V'],
  git: ['--version'],
  npm: ['--version'],
} as const satisfies Record<string, readonly string[]>;

export type HostProgram = keyof typeof HOST_PROGRAMS;

const EVERY_JOB: readonly Job[] = ['bootstrap', 'build', 'vm'];

const PROGRAM_GROUPS: readonly ProgramGroup[] = [
  {
    check: 'qemu-binary',
    debianPackage: 'qemu-system-x86',
    programs: ['qemu-system-x86_64'],
    jobs: ['build', 'vm'],
    purpose: 'runs the VMs',
  },
  {
    check: 'mmdebstrap',
    debianPackage: 'mmdebstrap',
    programs: ['mmdebstrap'],
    jobs: ['bootstrap'],
    purpose: 'makes the first image',
  },
  {
    check: 'e2fsprogs',
    debianPackage: 'e2fsprogs',
    programs: ['mkfs.ext4', 'e2fsck', 'resize2fs', 'debugfs'],
    jobs: EVERY_JOB,
    purpose: 'makes, checks and grows disks',
  },
  {
    check: 'iproute2',
    debianPackage: 'iproute2',
    programs: ['ip'],
    jobs: EVERY_JOB,
    purpose: 'sets up the guests’ network',
  },
  {
    check: 'nftables',
    debianPackage: 'nftables',
    programs: ['nft'],
    jobs: ['build', 'vm'],
    purpose: 'filters and translates the guests’ traffic',
  },
  {
    check: 'util-linux',
    debianPackage: 'util-linux',
    programs: ['nsenter', 'unshare', 'flock', 'setpriv'],
    jobs: EVERY_JOB,
    purpose: 'starts the daemon in its own network namespace, and programs that end with it',
  },
  {
    check: 'pasta',
    debianPackage: 'passt',
    programs: ['pasta'],
    jobs: EVERY_JOB,
    networkMode: 'isolated',
    purpose: 'joins banger’s network namespace to the outside',
  },
  { check: 'ssh-client', debianPackage: 'openssh-client', programs: ['ssh'], jobs: ['vm'], purpose: 'is `vm ssh`' },
  { check: 'git', debianPackage: 'git', programs: ['git'], jobs: ['build'], purpose: 'fetches the tmux plugins' },
  { check: 'npm', debianPackage: 'npm', programs: ['npm'], jobs: ['build'], purpose: 'fetches mise and opencode' },
];

/** The groups that a topic needs in a network mode. */
export function neededGroups(topic: DoctorTopic, networkMode: NetworkMode): readonly ProgramGroup[] {
  return PROGRAM_GROUPS.filter(
    (group) =>
      (topic === 'all' || group.jobs.includes(topic)) &&
      (group.networkMode === undefined || group.networkMode === networkMode),
  );
}
