import { AppError } from '../app-error.ts';
import type { KernelInspector } from '../images/ports.ts';
import type { ChosenEngine, Engine, Engines, MachineIdentity, MachineNeeds } from '../vms/engine.ts';
import { type Candidate, decide, demandRefusal, type EngineSettings, type Tried } from './engine-choice.ts';
import type { KvmProbing } from './kvm-probing.ts';
import type { EngineDriver, Refusal } from './ports.ts';

export interface EngineSelectionDependencies {
  readonly settings: EngineSettings;
  readonly drivers: readonly EngineDriver[];
  readonly kvm: KvmProbing;
  readonly kernels: Pick<KernelInspector, 'inspectKernel'>;
  readonly hostMemoryBytes: number;
}

/** Chooses engine and accelerator for each start of a machine: the best that this host, its kernel and the config allow. */
export class EngineSelection implements Engines {
  readonly #deps: EngineSelectionDependencies;
  readonly #closing = new AbortController();

  constructor(deps: EngineSelectionDependencies) {
    this.#deps = deps;
  }

  async choose(needs: MachineNeeds): Promise<ChosenEngine> {
    const tried: Tried[] = [];
    for (;;) {
      const decision = decide(this.#deps.settings, tried);
      switch (decision.state) {
        case 'none':
          throw decision.error;
        case 'chosen': {
          const { engine, accelerator } = decision.candidate;
          return { engine: await this.#driver(engine).engineFor(accelerator), notice: decision.notice };
        }
        case 'ask':
          tried.push({ candidate: decision.candidate, refusal: await this.#refusal(decision.candidate, needs) });
      }
    }
  }

  forIdentity(identity: MachineIdentity): Engine {
    return this.#driver(identity.engine).adopterFor(identity.accelerator);
  }

  async endUnrecorded(controlSocketPaths: readonly string[]): Promise<readonly string[]> {
    const ended: string[] = [];
    for (const driver of this.#deps.drivers) ended.push(...(await driver.endUnrecorded(controlSocketPaths)));
    return ended;
  }

  /** Ends a probe that is under way. */
  close(): void {
    this.#closing.abort(new AppError('DAEMON_STOPPING', 'The daemon is stopping.'));
  }

  /** What costs least is looked at first; a guest is booted last of all. */
  async #refusal(candidate: Candidate, needs: MachineNeeds): Promise<Refusal | undefined> {
    const driver = this.#deps.drivers.find(({ name }) => name === candidate.engine);
    if (!driver) return NOT_PART_OF_THIS_VERSION;
    const refusal =
      (await driver.refusal()) ?? (await this.#demandRefusal(await driver.engineFor(candidate.accelerator), needs));
    if (refusal || candidate.accelerator !== 'kvm') return refusal;
    return this.#deps.kvm.refusal(driver, needs.kernelPath, this.#closing.signal);
  }

  async #demandRefusal({ capabilities }: Engine, needs: MachineNeeds): Promise<Refusal | undefined> {
    const { kernels, hostMemoryBytes } = this.#deps;
    const { format } = await kernels.inspectKernel(needs.kernelPath);
    return demandRefusal(capabilities, { ...needs, kernelFormat: format }, { memoryBytes: hostMemoryBytes });
  }

  #driver(name: EngineDriver['name']): EngineDriver {
    const driver = this.#deps.drivers.find((known) => known.name === name);
    if (driver) return driver;
    const { reason, hint } = NOT_PART_OF_THIS_VERSION;
    throw new AppError('ENGINE_UNAVAILABLE', `The machine runs on ${name}, and ${reason}.`, { hint });
  }
}

const NOT_PART_OF_THIS_VERSION: Refusal = {
  reason: 'this version of banger has no such engine',
  hint: 'set `engine = "qemu"` or "auto" in the config file',
};
