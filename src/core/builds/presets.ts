/** What a preset stands for: its steps and its packages. */
import type { PresetName, StepName } from '../../contracts/build.ts';

/**
 * What a developer expects in a box; every name is in Debian 12 and 13. About 510 MB installed, half of it the compilers.
 * Left out for their weight in time: man-db (indexes at each install), locales (generates at install).
 */
const DEV_PACKAGES = [
  'bash-completion',
  'bind9-dnsutils',
  'build-essential',
  'ca-certificates',
  'curl',
  'fd-find',
  'file',
  'git',
  'gnupg',
  'htop',
  'iproute2',
  'iputils-ping',
  'jq',
  'less',
  'lsof',
  'nano',
  'netcat-openbsd',
  'openssh-client',
  'pkg-config',
  'procps',
  'psmisc',
  'python3',
  'python3-pip',
  'python3-venv',
  'ripgrep',
  'rsync',
  'strace',
  'sudo',
  'tmux',
  'tree',
  'unzip',
  'vim',
  'wget',
  'xz-utils',
  'zip',
] as const;

export interface Preset {
  /** Steps it always has; `packages`, `docker`, `modules` and `user` also come with what asks for them. */
  readonly steps: readonly StepName[];
  readonly packages: readonly string[];
}

export const PRESETS: Readonly<Record<PresetName, Preset>> = {
  dev: {
    steps: ['base', 'packages', 'network', 'agent', 'mise', 'opencode', 'tmux', 'cleanup'],
    packages: DEV_PACKAGES,
  },
  minimal: { steps: ['base', 'network', 'agent', 'cleanup'], packages: [] },
};
