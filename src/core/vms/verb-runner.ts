import type { Operation, OperationKind } from '../../contracts/operation.ts';
import type { VmState } from '../../contracts/vm.ts';
import { AppError } from '../app-error.ts';
import type { OperationContext } from '../operations/operation-context.ts';
import type { OperationService } from '../operations/operation-service.ts';
import type { VmRecord } from './repository.ts';
import type { VmDirectory } from './vm-directory.ts';
import { busy, type VmVerb } from './vm-state.ts';

/** One verb's work on one VM. */
export interface VerbPlan {
  readonly kind: Extract<OperationKind, `vm.${string}`>;
  /** What the VM is shown as meanwhile. */
  readonly state: VmState;
  readonly stages: readonly string[];
  /** False where it is so already. */
  readonly needed: boolean;
}

const INTERRUPT_STAGE = 'interrupt';

/** Runs verbs as operations, each of which has its VM to itself. */
export class VerbRunner {
  readonly #operations: OperationService;
  readonly #directory: VmDirectory;
  /** By the id of its VM: the operation that has it. */
  readonly #holders = new Map<string, string>();

  constructor(operations: OperationService, directory: VmDirectory) {
    this.#operations = operations;
    this.#directory = directory;
  }

  run(record: VmRecord, plan: VerbPlan, work: (context: OperationContext) => Promise<unknown>): Operation {
    const operation = this.#operations.start(
      { kind: plan.kind, target: record.name, stages: plan.stages },
      async (context) => {
        if (!plan.needed) for (const stage of plan.stages) context.skip(stage, 'nothing to do');
        try {
          return await work(context);
        } finally {
          if (plan.needed) this.#letGo(record);
        }
      },
    );
    // Its work begins after us. An operation that could not be recorded has no work, and keeps nobody from the VM.
    if (plan.needed) this.#hold(record, plan.state, operation);
    return operation;
  }

  /**
   * The same for a verb that does not wait for its turn: cancels the operation that has the VM, waits until that has
   * undone what it made, and then has the VM itself.
   *
   * @param plan.verb for the refusal where somebody else was quicker to take it.
   */
  takeOver(
    record: VmRecord,
    plan: Omit<VerbPlan, 'needed'> & { readonly verb: VmVerb },
    work: (context: OperationContext) => Promise<unknown>,
  ): Operation {
    const stages = [INTERRUPT_STAGE, ...plan.stages];
    const operation: Operation = this.#operations.start(
      { kind: plan.kind, target: record.name, stages },
      async (context) => {
        await context.stage(INTERRUPT_STAGE, ({ signal }) => this.#interrupt(record, signal));
        if (this.#directory.isBusy(record.id)) throw busy(plan.verb, this.#directory.view(record));
        this.#hold(record, plan.state, operation);
        try {
          return await work(context);
        } finally {
          this.#letGo(record);
        }
      },
    );
    return operation;
  }

  async #interrupt(record: VmRecord, signal: AbortSignal): Promise<void> {
    const id = this.#holders.get(record.id);
    if (id === undefined) return;
    try {
      this.#operations.cancel(id);
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'OPERATION_ENDED') throw error;
    }
    await this.#operations.wait(id, signal);
  }

  #hold(record: VmRecord, state: VmState, operation: Operation): void {
    this.#directory.hold(record.id, state);
    this.#holders.set(record.id, operation.id);
  }

  #letGo(record: VmRecord): void {
    this.#holders.delete(record.id);
    this.#directory.letGo(record);
  }
}
