import type { BootedMachine } from './machine-runner.ts';
import type { MachineExit } from './engine.ts';
import type { MachineShape } from './ports.ts';

/** A machine that runs, since when. */
export interface StartedMachine extends BootedMachine {
  readonly startedAt: string;
  /** What it was started with; undefined where an earlier banger did not write that down. */
  readonly shape: MachineShape | undefined;
}

export interface LiveMachine extends StartedMachine {
  /** Aborted when the VMM is gone, whoever ended it. */
  readonly ended: AbortSignal;
}

type ExitListener = (vmId: string, exit: MachineExit) => void;
type StartListener = (vmId: string, machine: LiveMachine) => void;

/** The VMMs that run now, and who hears when one ends by itself. Held in memory only; evidence rebuilds it. */
export class LiveMachines {
  readonly #live = new Map<string, LiveMachine>();
  #onExit: ExitListener = () => undefined;
  #onStart: StartListener = () => undefined;

  /** @param listener is called when a VMM ends that nobody asked to end; there is one. */
  onUnexpectedExit(listener: ExitListener): void {
    this.#onExit = listener;
  }

  /** @param listener is called for each machine that runs from now on; there is one. */
  onStart(listener: StartListener): void {
    this.#onStart = listener;
  }

  add(vmId: string, started: StartedMachine): void {
    const ended = new AbortController();
    const { machine } = started;
    const live = { ...started, ended: ended.signal };
    this.#live.set(vmId, live);
    this.#onStart(vmId, live);
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
  take(vmId: string): StartedMachine | undefined {
    const taken = this.#live.get(vmId);
    this.#live.delete(vmId);
    return taken;
  }

  count(): number {
    return this.#live.size;
  }

  /** Lets go of every control connection and agent; the VMMs run on. */
  releaseAll(): void {
    for (const { machine, agent } of this.#live.values()) {
      agent.close();
      machine.release();
    }
    this.#live.clear();
  }
}
