/** What the domain needs of each engine, and of the host, to choose among engines. */
import type { Accelerator, EngineName } from '../../contracts/vm.ts';
import type { DeviceState } from '../doctor/ports.ts';
import type { Engine, Engines } from '../vms/engine.ts';

/** Why something cannot be used. */
export interface Refusal {
  /** Half a sentence: "/dev/kvm is not there". */
  readonly reason: string;
  /** More of it, where there is more: the VMM's own words. */
  readonly detail?: string;
  /** What to do about it. */
  readonly hint: string;
  /** The kernel is at fault, and not the host. */
  readonly isOfKernel?: boolean;
}

export interface ProbeOutcome {
  /** The guest was seen to speak. */
  readonly usable: boolean;
  /** What was seen, in half a sentence. */
  readonly reason: string;
}

/** Finds out whether guests boot on an accelerator, by booting one. */
export interface AcceleratorProbe {
  /**
   * Boots a guest of our own, without disk and network, and waits 5 s at most for it to speak on its console. Nothing
   * of it runs afterwards, however this ends.
   *
   * @throws the signal's reason where it is aborted.
   */
  probe(kernelPath: string, signal: AbortSignal): Promise<ProbeOutcome>;
}

/** One engine as it is on this host. */
export interface EngineDriver {
  readonly name: EngineName;
  /** Why its program cannot be run; undefined where it can. */
  refusal(): Promise<Refusal | undefined>;
  /** Names the program as it lies there now: another one after every upgrade. */
  programStamp(): Promise<string>;
  /** @throws AppError ENGINE_UNAVAILABLE as `refusal` says it. */
  engineFor(accelerator: Accelerator): Promise<Engine>;
  /** Finds machines that run again, whatever has become of the program since. */
  adopterFor(accelerator: Accelerator): Engine;
  readonly kvmProbe: AcceleratorProbe;
  readonly endUnrecorded: Engines['endUnrecorded'];
}

/** What a probe of KVM has found, and what it goes for: another program or kernel may fare otherwise. */
export interface KvmFinding extends ProbeOutcome {
  readonly engine: EngineName;
  readonly programStamp: string;
  readonly kernelDigest: string;
  /** Where that kernel lay. */
  readonly kernelPath: string;
  readonly tookMs: number;
  /** ISO 8601. */
  readonly at: string;
}

/** Findings since the host was booted. */
export interface ProbeMemory {
  /** Newest last; none where the memory cannot be read. */
  list(): Promise<readonly KvmFinding[]>;
  /** Replaces what was found for the same engine, program and kernel. */
  remember(finding: KvmFinding): Promise<void>;
}

export interface KvmHost {
  /** State of /dev/kvm. */
  device(): Promise<DeviceState>;
  /** `sha256:...` of a kernel. */
  kernelDigest(path: string, signal: AbortSignal): Promise<string>;
}
