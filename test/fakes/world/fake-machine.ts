import type {
  Engine,
  EngineCapabilities,
  MachineExit,
  MachineIdentity,
  MachineSpec,
  RunningMachine,
} from '../../../src/core/vms/engine.ts';

/** A VMM that is only remembered. */
export class FakeMachine implements RunningMachine {
  readonly bootRetries = 0;
  readonly endsBy = 'poweroff';
  readonly identity: MachineIdentity;
  readonly exited: Promise<MachineExit>;
  readonly #end: (exit: MachineExit) => void;

  constructor(identity: MachineIdentity, onEnd: () => void) {
    this.identity = identity;
    const { promise, resolve } = Promise.withResolvers<MachineExit>();
    this.exited = promise;
    this.#end = (exit) => {
      onEnd();
      resolve(exit);
    };
  }

  /** As if the guest had powered itself off, or the VMM had died. */
  end(exit: MachineExit): void {
    this.#end(exit);
  }

  openAgentStream(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  pause(): Promise<void> {
    return Promise.resolve();
  }

  resume(): Promise<void> {
    return Promise.resolve();
  }

  pressPowerButton(): Promise<void> {
    this.#end({ reason: 'guest-shutdown', detail: 'power button' });
    return Promise.resolve();
  }

  endBy(signal: string): Promise<MachineExit> {
    this.#end({ reason: 'killed', detail: `SIG${signal}` });
    return this.exited;
  }

  kill(): Promise<MachineExit> {
    this.#end({ reason: 'killed', detail: 'SIGKILL' });
    return this.exited;
  }

  release(): void {
    this.#end({ reason: 'stopped', detail: 'released' });
  }
}

/** Starts machines that are only remembered. */
export class FakeEngine implements Engine {
  readonly name = 'qemu';
  readonly accelerator = 'tcg';
  readonly slowness = 1;
  readonly capabilities: EngineCapabilities = {
    snapshots: false,
    pauseRefused: undefined,
    maxCpus: 64,
    maxDrives: 8,
    limits: [],
    kernelFormats: ['bzimage'],
  };
  readonly running = new Map<string, FakeMachine>();
  #nextPid = 1000;

  async start(spec: MachineSpec, signal: AbortSignal): Promise<RunningMachine> {
    signal.throwIfAborted();
    this.#nextPid += 1;
    const identity: MachineIdentity = {
      engine: 'qemu',
      accelerator: 'tcg',
      pid: this.#nextPid,
      startTimeTicks: 1,
      bootId: 'boot',
      controlSocketPath: spec.controlSocketPath,
    };
    const machine = new FakeMachine(identity, () => this.running.delete(spec.id));
    this.running.set(spec.id, machine);
    try {
      await spec.onIdentity(identity);
      return machine;
    } catch (error) {
      await machine.kill();
      throw error;
    }
  }

  adopt(identity: MachineIdentity): Promise<RunningMachine | undefined> {
    return Promise.resolve([...this.running.values()].find((machine) => machine.identity.pid === identity.pid));
  }
}
