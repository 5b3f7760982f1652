/** What the domain needs of the machine to run VMs. Adapters implement these; tests fake them. */
import type { SshAccess } from '../../contracts/vm.ts';
import type { MachineIdentity } from './engine.ts';
import type { GuestProgram, GuestProgramSpec } from './guest-program.ts';

/** A file written into a filesystem image that is not mounted. */
export interface DiskFile {
  /** Absolute path in the guest. */
  readonly path: string;
  readonly content: string | Uint8Array;
  /** Permission bits, `0o600`. */
  readonly mode: number;
}

export interface DiskSymlink {
  readonly path: string;
  readonly target: string;
}

export interface FilesystemFacts {
  readonly sizeBytes: number;
  /** Blocks in use, `bytes`: what a shrink could never go below. */
  readonly usedBytes: number;
}

export interface Disks {
  /** @throws AppError ROOTFS_INVALID where the file is no ext4 filesystem, IMAGE_FILES_MISSING where it cannot be read. */
  inspect(path: string): Promise<FilesystemFacts>;
  /**
   * Copies a disk: reflink where the filesystem can, else a sparse copy that skips holes.
   *
   * @returns how it was done.
   * @throws AppError DISK_FULL before anything is written where the space does not suffice.
   */
  clone(sourcePath: string, targetPath: string, signal: AbortSignal): Promise<'reflink' | 'sparse copy'>;
  /** `e2fsck -fy`: mends what can be mended. @throws AppError ROOTFS_INVALID where it cannot. */
  check(path: string, signal: AbortSignal): Promise<void>;
  /** Grows file and filesystem. @throws AppError SIZE_INVALID where that would shrink it. */
  grow(path: string, sizeBytes: number, signal: AbortSignal): Promise<void>;
  /** Reads one file of an unmounted filesystem; undefined where it does not exist. */
  readFile(path: string, guestPath: string): Promise<Uint8Array | undefined>;
  /** Writes files (owner root, parents made 0755) and symlinks into an unmounted filesystem, replacing what is there. */
  writeFiles(
    path: string,
    entries: { readonly files: readonly DiskFile[]; readonly symlinks?: readonly DiskSymlink[] },
    signal: AbortSignal,
  ): Promise<void>;
  /** SHA-256 over the whole file, `sha256:...`. */
  digest(path: string, signal: AbortSignal): Promise<string>;
  /** Free for us in the folder's filesystem. */
  freeBytes(dir: string): Promise<number>;
  /** Blocks that the file really occupies. */
  allocatedBytes(path: string): Promise<number>;
}

/** Where and how a guest's sshd is reached by the daemon. */
export interface GuestTarget {
  readonly address: string;
  readonly port: number;
  readonly user: string;
  /** The only host key that is accepted: `ssh-ed25519 AAAA...`. */
  readonly hostPublicKey: string;
}

export interface GuestCommand {
  /** Absolute path of a program in the guest. */
  readonly program: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly onLine?: (line: string) => void;
  /** Deadline; the remote process group is killed then. */
  readonly timeoutMs: number;
}

export interface GuestUpload {
  readonly guestPath: string;
  readonly mode: number;
  /** Content, or a file of the host that is streamed. */
  readonly source: { readonly content: string | Uint8Array } | { readonly hostPath: string };
}

export interface GuestSession extends AsyncDisposable {
  /**
   * Runs a program to its end, stdout and stderr joined line by line.
   *
   * @returns its exit status, and the last lines of its output.
   * @throws AppError BUILD_STEP_TIMEOUT past its deadline; GUEST_UNREACHABLE where the connection is lost.
   */
  run(
    command: GuestCommand,
    signal: AbortSignal,
  ): Promise<{ readonly exitStatus: number; readonly tail: readonly string[] }>;
  /** Makes parents (0755) as needed. */
  upload(uploads: readonly GuestUpload[], signal: AbortSignal): Promise<void>;
  /** Streams a host folder's content into a guest folder as a tar; modes and symlinks kept, owner root. */
  uploadTree(hostDir: string, guestDir: string, signal: AbortSignal): Promise<void>;
  /**
   * Starts a program with its input and outputs as streams.
   *
   * @throws AppError REQUEST_INVALID for what no shell can pass on; GUEST_UNREACHABLE where the guest does not begin it;
   * the signal's reason where it is aborted.
   */
  open(spec: GuestProgramSpec, signal: AbortSignal): Promise<GuestProgram>;
  /** Settles when the connection is gone, whoever closed it. */
  readonly closed: Promise<void>;
  /** The guest is gone: drops the connection without a word, and whatever waits for it fails with GUEST_UNREACHABLE. */
  abandon(): void;
}

export interface GuestShell {
  /**
   * Waits until sshd greets. Cheaper than `connect`: no key exchange, which takes seconds in a software-emulated guest.
   *
   * @throws AppError GUEST_UNREACHABLE once `timeoutMs` has passed.
   */
  awaitGreeting(
    target: Pick<GuestTarget, 'address' | 'port'>,
    options: { readonly timeoutMs: number },
    signal: AbortSignal,
  ): Promise<void>;
  /**
   * Waits until sshd answers and our key is accepted.
   *
   * @throws AppError GUEST_UNREACHABLE once `timeoutMs` has passed; a host key that is not the pinned one fails at once.
   */
  connect(target: GuestTarget, options: { readonly timeoutMs: number }, signal: AbortSignal): Promise<GuestSession>;
}

/** Key pairs, and our own known_hosts. */
export interface SshKeys {
  /** The key that guests let in; made at first use unless the config names one. `authorized_keys` form. */
  clientPublicKey(): Promise<string>;
  /** A fresh ed25519 host key for one guest. */
  generateHostKey(): Promise<{ readonly privateKey: string; readonly publicKey: string }>;
  /** Pins a host key under an alias; replaces what was there. */
  pin(alias: string, publicKey: string): Promise<void>;
  unpin(alias: string): Promise<void>;
  access(vmName: string, alias: string): Promise<SshAccess>;
}

/** A VM's folders. Everything in them goes when they are removed. */
export interface MachineFolders {
  /** Makes durable and short-lived folder. @throws AppError PATH_TOO_LONG where a socket would not fit. */
  create(vmId: string): Promise<MachineFolder>;
  locate(vmId: string): MachineFolder;
  /** Makes the short-lived folder again where a reboot of the host has taken it away. */
  ensureRunDir(vmId: string): Promise<void>;
  remove(vmId: string): Promise<void>;
  /** Ids of every folder that exists, for reconciliation; what is not named by an id of ours is not among them. */
  list(): Promise<readonly string[]>;
  /** @returns undefined where there is none, or what is there is no record: neither is evidence of anything. */
  readRuntime(vmId: string): Promise<MachineRuntime | NewerRuntime | undefined>;
  writeRuntime(vmId: string, runtime: MachineRuntime): Promise<void>;
  clearRuntime(vmId: string): Promise<void>;
  /** The console's last lines, control characters made visible. */
  consoleTail(vmId: string, lines: number): Promise<readonly string[]>;
}

export interface MachineFolder {
  readonly diskPath: string;
  readonly consolePath: string;
  readonly vmmLogPath: string;
  readonly controlSocketPath: string;
  readonly agentSocketPath: string;
}

/** What a machine was given when it was started; its record may say otherwise since. */
export interface MachineShape {
  readonly cpus: number;
  readonly memoryBytes: number;
}

/** What is true of a running VM now; found again after a restart by this and the evidence it names. */
export interface MachineRuntime {
  readonly identity: MachineIdentity;
  readonly startedAt: string;
  /** What it was started with; absent where an earlier banger started it. */
  readonly shape?: MachineShape | undefined;
}

/** A runtime record that a newer banger has written: a VMM may run, and nothing else can be told of it. */
export interface NewerRuntime {
  readonly newerVersion: number;
  /** Of the record itself, for who has to look at it. */
  readonly path: string;
}

/** What a process uses, as the host counts it. */
export interface ProcessUsage {
  /** Processor time since its start, `ms`. */
  readonly cpuMs: number;
  readonly residentBytes: number;
}

export interface HostUsage {
  /** @returns undefined where the process is gone. */
  ofProcess(pid: number): Promise<ProcessUsage | undefined>;
}
