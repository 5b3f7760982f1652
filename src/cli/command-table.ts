/** Every command: its words, what it is for, and where it is. Only the file of the command that runs is loaded. */
import type { Command } from 'commander';
import type { Cli } from './cli.ts';

export type DefineCommand = (command: Command, cli: Cli) => void;

export interface CommandEntry {
  /** `image build`. */
  readonly words: string;
  readonly summary: string;
  /** True where the words after `--` are a command for the guest. */
  readonly runsInGuest?: boolean;
  readonly load: () => Promise<DefineCommand>;
}

export const GROUPS: Readonly<Record<string, string>> = {
  image: 'images: make, list, look into and delete them',
  vm: 'VMs: create, start, enter, stop and delete them',
  op: 'operations: what runs and what has run',
  daemon: 'the daemon, which starts by itself',
  config: 'the config file and what is in force',
  dns: 'guests’ names in the host’s resolver',
};

export const COMMANDS: readonly CommandEntry[] = [
  {
    words: 'doctor',
    summary: 'what this host can do, what is missing, and the command that mends it',
    load: async () => (await import('./commands/doctor.ts')).doctor,
  },
  {
    words: 'image bootstrap',
    summary: 'make a first image from a distribution’s packages',
    load: async () => (await import('./commands/image-bootstrap.ts')).imageBootstrap,
  },
  {
    words: 'image build',
    summary: 'derive an image from another one inside a transient VM',
    load: async () => (await import('./commands/image-build.ts')).imageBuild,
  },
  {
    words: 'image register',
    summary: 'register your own files as an image; they are never written',
    load: async () => (await import('./commands/image-register.ts')).imageRegister,
  },
  {
    words: 'image promote',
    summary: 'copy a registered image’s files into banger’s own',
    load: async () => (await import('./commands/image-promote.ts')).imagePromote,
  },
  {
    words: 'image list',
    summary: 'every image',
    load: async () => (await import('./commands/image-list.ts')).imageList,
  },
  {
    words: 'image show',
    summary: 'one image',
    load: async () => (await import('./commands/image-show.ts')).imageShow,
  },
  {
    words: 'image delete',
    summary: 'delete images; your own files stay',
    load: async () => (await import('./commands/image-delete.ts')).imageDelete,
  },
  {
    words: 'image history',
    summary: 'where an image comes from: its builds, steps and packages',
    load: async () => (await import('./commands/image-history.ts')).imageHistory,
  },
  {
    words: 'vm create',
    summary: 'create a VM and start it',
    load: async () => (await import('./commands/vm-create.ts')).vmCreate,
  },
  {
    words: 'vm run',
    summary: 'create and start a VM, then a shell or a command in it',
    runsInGuest: true,
    load: async () => (await import('./commands/vm-run.ts')).vmRun,
  },
  {
    words: 'vm list',
    summary: 'every VM',
    load: async () => (await import('./commands/vm-list.ts')).vmList,
  },
  {
    words: 'vm show',
    summary: 'one VM',
    load: async () => (await import('./commands/vm-show.ts')).vmShow,
  },
  {
    words: 'vm start',
    summary: 'start VMs and wait until they are ready',
    load: async () => (await import('./commands/vm-start.ts')).vmStart,
  },
  {
    words: 'vm stop',
    summary: 'write everything to disk and power off',
    load: async () => (await import('./commands/vm-stop.ts')).vmStop,
  },
  {
    words: 'vm restart',
    summary: 'stop VMs cleanly and start them again',
    load: async () => (await import('./commands/vm-restart.ts')).vmRestart,
  },
  {
    words: 'vm kill',
    summary: 'end VMs at once; their guests are not asked',
    load: async () => (await import('./commands/vm-kill.ts')).vmKill,
  },
  {
    words: 'vm set',
    summary: 'change a VM’s CPUs, memory, disk or access to the outside',
    load: async () => (await import('./commands/vm-set.ts')).vmSet,
  },
  {
    words: 'vm rename',
    summary: 'give a VM another name',
    load: async () => (await import('./commands/vm-rename.ts')).vmRename,
  },
  {
    words: 'vm logs',
    summary: 'what a guest has written to its console',
    load: async () => (await import('./commands/vm-logs.ts')).vmLogs,
  },
  {
    words: 'vm stats',
    summary: 'what VMs use: CPU, memory, disk',
    load: async () => (await import('./commands/vm-stats.ts')).vmStats,
  },
  {
    words: 'vm prune',
    summary: 'delete every VM that is stopped',
    load: async () => (await import('./commands/vm-prune.ts')).vmPrune,
  },
  {
    words: 'vm delete',
    summary: 'delete VMs and their disks, running or not',
    load: async () => (await import('./commands/vm-delete.ts')).vmDelete,
  },
  {
    words: 'vm ssh',
    summary: 'a shell or a command in a VM that runs',
    runsInGuest: true,
    load: async () => (await import('./commands/vm-ssh.ts')).vmSsh,
  },
  {
    words: 'vm exec',
    summary: 'a command in a VM that runs, through the daemon',
    runsInGuest: true,
    load: async () => (await import('./commands/vm-exec.ts')).vmExec,
  },
  {
    words: 'vm cp',
    summary: 'copy files and folders into a VM or out of it',
    load: async () => (await import('./commands/vm-cp.ts')).vmCp,
  },
  {
    words: 'vm ports',
    summary: 'what listens in VMs, and how the host reaches it',
    load: async () => (await import('./commands/vm-ports.ts')).vmPorts,
  },
  {
    words: 'vm export',
    summary: 'what was changed in a VM’s repository, as a patch',
    load: async () => (await import('./commands/vm-export.ts')).vmExport,
  },
  {
    words: 'op list',
    summary: 'operations, newest first',
    load: async () => (await import('./commands/op-list.ts')).opList,
  },
  {
    words: 'op show',
    summary: 'one operation and its stages',
    load: async () => (await import('./commands/op-show.ts')).opShow,
  },
  {
    words: 'op logs',
    summary: 'an operation’s log',
    load: async () => (await import('./commands/op-logs.ts')).opLogs,
  },
  {
    words: 'op cancel',
    summary: 'stop operations and undo what they made',
    load: async () => (await import('./commands/op-cancel.ts')).opCancel,
  },
  {
    words: 'daemon start',
    summary: 'start the daemon',
    load: async () => (await import('./commands/daemon-start.ts')).daemonStart,
  },
  {
    words: 'daemon stop',
    summary: 'stop the daemon; VMs go on running',
    load: async () => (await import('./commands/daemon-stop.ts')).daemonStop,
  },
  {
    words: 'daemon status',
    summary: 'what the daemon is and does',
    load: async () => (await import('./commands/daemon-status.ts')).daemonStatus,
  },
  {
    words: 'daemon logs',
    summary: 'the daemon’s log',
    load: async () => (await import('./commands/daemon-logs.ts')).daemonLogs,
  },
  {
    words: 'config show',
    summary: 'the config in force, defaults included',
    load: async () => (await import('./commands/config-show.ts')).configShow,
  },
  {
    words: 'config path',
    summary: 'where the config file is',
    load: async () => (await import('./commands/config-path.ts')).configPath,
  },
  {
    words: 'dns enable',
    summary: 'have the host resolve NAME.vm; changes the host’s resolver, as root',
    load: async () => (await import('./commands/dns-enable.ts')).dnsEnable,
  },
  {
    words: 'dns disable',
    summary: 'take back what `dns enable` has done',
    load: async () => (await import('./commands/dns-disable.ts')).dnsDisable,
  },
  {
    words: 'dns status',
    summary: 'whether the host resolves NAME.vm, and by what',
    load: async () => (await import('./commands/dns-status.ts')).dnsStatus,
  },
  {
    words: 'ssh-config',
    summary: 'let your own ssh reach VMs as NAME.vm',
    load: async () => (await import('./commands/ssh-config.ts')).sshConfig,
  },
  {
    words: 'completion',
    summary: 'a completion script for your shell',
    load: async () => (await import('./commands/completion.ts')).completion,
  },
  {
    words: 'version',
    summary: 'banger’s version and build',
    load: async () => (await import('./commands/version.ts')).version,
  },
];
