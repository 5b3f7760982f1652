/** What the domain needs of a program that runs VMs. Adapters implement it, one each; nothing outside them knows which. */
import type { Duplex } from 'node:stream';
import type { Accelerator, EngineName, KillSignal } from '../../contracts/vm.ts';

/** Enough to find a VMM again after the daemon was restarted, and to be sure that it is the same one. */
export interface MachineIdentity {
  readonly engine: EngineName;
  readonly accelerator: Accelerator;
  readonly pid: number;
  readonly startTimeTicks: number;
  readonly bootId: string;
  readonly controlSocketPath: string;
  /** Absent where an earlier banger started it, which knew no agent. */
  readonly agentSocketPath?: string | undefined;
  /** The folder the VMM is jailed in, removed whole with it; absent where it is in none. */
  readonly jailDir?: string | undefined;
}

export interface MachineDrive {
  /** Letters, digits and `_`. */
  readonly id: string;
  readonly path: string;
  readonly readOnly: boolean;
}

/** Bounds of what a machine may move, each way, `bytes per second`; absent: none. */
export interface MachineLimits {
  readonly diskBytesPerSecond?: number | undefined;
  readonly networkBytesPerSecond?: number | undefined;
}

/** Everything an engine needs to start one VMM; nothing is optional that the engine would have to guess. */
export interface MachineSpec {
  /** `vm-1a2b3c4d5e`. */
  readonly id: string;
  readonly name: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly kernelPath: string;
  readonly initrdPath: string | undefined;
  /** Guest's kernel arguments beyond those the engine itself needs (console, reboot, clock). */
  readonly kernelArgs: readonly string[];
  /** The first is the root disk. */
  readonly drives: readonly MachineDrive[];
  readonly nic: { readonly tapName: string; readonly macAddress: string };
  readonly limits: MachineLimits;
  readonly consolePath: string;
  readonly vmmLogPath: string;
  readonly controlSocketPath: string;
  /** Where the VMM offers the channel to the guest's agent. */
  readonly agentSocketPath: string;
  /**
   * Written down before the VMM runs a single guest instruction, so that a crash in between leaves evidence;
   * again for each retry of the boot watchdog.
   */
  readonly onIdentity: (identity: MachineIdentity) => Promise<void>;
}

export type MachineExitReason = 'guest-shutdown' | 'guest-reset' | 'guest-panic' | 'stopped' | 'killed' | 'crashed';

export interface MachineExit {
  readonly reason: MachineExitReason;
  /** In words: exit status, signal, the VMM's last line. */
  readonly detail: string;
}

export interface RunningMachine {
  readonly identity: MachineIdentity;
  /** How often the boot watchdog had to start the VMM again. */
  readonly bootRetries: number;
  /** What its guest has to do for the VMM to end; where it is `reboot`, a guest that powers off stays, halted. */
  readonly endsBy: 'poweroff' | 'reboot';
  /** Settles when the VMM is gone; never rejects. */
  readonly exited: Promise<MachineExit>;
  /**
   * A stream to the guest's agent, open as soon as the VMM runs, long before there is an agent. One at a time: a second
   * one waits until the first is closed. Undefined where the VMM has no such channel.
   */
  openAgentStream(signal: AbortSignal): Promise<Duplex | undefined>;
  /**
   * Stops the guest's processors, and lets them run again; neither does anything where it is so already.
   *
   * @throws AppError ENGINE_FAILED where the VMM refuses.
   */
  pause(signal: AbortSignal): Promise<void>;
  resume(signal: AbortSignal): Promise<void>;
  /** Presses the power button; what the guest makes of it is its own affair. */
  pressPowerButton(signal: AbortSignal): Promise<void>;
  /**
   * Sends a signal that ends the VMM, and returns when it is gone; its guest is not asked.
   *
   * @throws AppError ENGINE_FAILED where it does not end.
   */
  endBy(signal: KillSignal): Promise<MachineExit>;
  /** SIGTERM, then SIGKILL after a bound; returns when the VMM is gone. */
  kill(): Promise<MachineExit>;
  /** Lets go of the control connection; the VMM runs on. */
  release(): void;
}

export interface EngineCapabilities {
  readonly snapshots: boolean;
  /** Why machines cannot be paused, in words; undefined where they can. */
  readonly pauseRefused: string | undefined;
  readonly maxCpus: number;
  /** Most drives a machine can have beside its network card. */
  readonly maxDrives: number;
  /** Bounds of `MachineLimits` that it keeps. */
  readonly limits: readonly (keyof MachineLimits)[];
  readonly kernelFormats: readonly ('bzimage' | 'elf')[];
}

export interface Engine {
  readonly name: EngineName;
  readonly accelerator: Accelerator;
  readonly capabilities: EngineCapabilities;
  /**
   * Starts a VMM in its own session; it outlives us. Returns once the guest's console has shown life.
   *
   * @throws AppError ENGINE_UNAVAILABLE, ENGINE_FAILED where the VMM refuses to start, BOOT_EXITED where it ends as soon
   * as the guest runs, BOOT_TIMEOUT where the console shows no life in any try, PATH_TOO_LONG; the signal's reason where
   * it is aborted. Nothing of it runs then.
   */
  start(spec: MachineSpec, signal: AbortSignal): Promise<RunningMachine>;
  /**
   * @returns undefined where the VMM that `identity` describes is gone, or had never let its guest run (it is ended).
   * @throws AppError ENGINE_FAILED where it runs and cannot be controlled.
   */
  adopt(identity: MachineIdentity): Promise<RunningMachine | undefined>;
  /** Seconds that a guest may take, relative to KVM: 1 there, about 10 in software. */
  readonly slowness: number;
}

/** What a machine asks of its engine. */
export type MachineNeeds = Pick<MachineSpec, 'cpus' | 'memoryBytes' | 'kernelPath'>;

export interface ChosenEngine {
  readonly engine: Engine;
  /** For whoever waits: that guests run slowly here, why, and how they get faster; undefined where nothing is to be said. */
  readonly notice: string | undefined;
}

/** Chooses an engine for this host. */
export interface Engines {
  /**
   * The best engine that this host, the machine and the config allow. The first time it may boot a guest to find that out.
   *
   * @throws AppError ENGINE_UNAVAILABLE, or KERNEL_INVALID where only the kernel is at fault; DAEMON_STOPPING.
   */
  choose(needs: MachineNeeds): Promise<ChosenEngine>;
  /** The engine that can adopt this machine. */
  forIdentity(identity: MachineIdentity): Engine;
  /**
   * Ends VMMs by the control socket on their command line: those that run though nothing was written down about them,
   * since a daemon was killed in the instant between, and those of work that was never finished.
   *
   * @param controlSocketPaths those of machines in which nothing is to be saved.
   * @returns the paths of those that ran.
   */
  endUnrecorded(controlSocketPaths: readonly string[]): Promise<readonly string[]>;
}
