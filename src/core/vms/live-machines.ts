import type { MachineExit, RunningMachine } from './ports.ts';

interface LiveMachine {
  readonly machine: RunningMachine;
  readonly startedAt: string;
  /** Aborted when the VMM is gone, whoever ended it. */
  readonly ended: AbortSignal;
}

/** The VMMs that run now, and what to do when one ends by itself. Held in memory only; evidence rebuilds it. */
export class LiveMachines {
  readonly #live = new Map<string, LiveMachine>();
  readonly #onExit: (vmId: string, exit: MachineExit) => void;

  /** @param onExit is called when a VMM ends that nobody asked to end. */
  constructor(onExit: (vmId: string, exit: MachineExit) => void) {
    this.#onExit = onExit;
  }

  add(vmId: string, machine: RunningMachine, startedAt: string): void {
    const ended = new AbortController();
    this.#live.set(vmId, { machine, startedAt, ended: ended.signal });
    void machine.exited.then((exit) => {
      ended.abort();
      // Whoever stops a machine on purpose takes it out first.
      if (this.#live.get(vmId)?.machine !== machine) return;
      this.#live.delete(vmId);
      this.#onExit(vmId, exit);
    });
  }

  get(vmId: string): LiveMachine | undefined {
    return this.#live.get(vmId);
  }

  /** Takes a machine out before it is stopped on purpose. */
  take(vmId: string): RunningMachine | undefined {
    const machine = this.#live.get(vmId)?.machine;
    this.#live.delete(vmId);
    return machine;
  }

  count(): number {
    return this.#live.size;
  }

  ids(): readonly string[] {
    return [...this.#live.keys()];
  }

  /** Lets go of every control connection; the VMMs run on. */
  releaseAll(): void {
    for (const { machine } of this.#live.values()) machine.release();
    this.#live.clear();
  }
}
