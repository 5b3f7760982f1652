import type { Operation, OperationKind } from '../../contracts/operation.ts';
import type { VmState } from '../../contracts/vm.ts';
import type { OperationContext } from '../operations/operation-context.ts';
import type { OperationService } from '../operations/operation-service.ts';
import type { VmRecord } from './repository.ts';
import type { VmDirectory } from './vm-directory.ts';

/** One verb's work on one VM. */
export interface VerbPlan {
  readonly kind: Extract<OperationKind, `vm.${string}`>;
  /** What the VM is shown as meanwhile. */
  readonly state: VmState;
  readonly stages: readonly string[];
  /** False where it is so already. */
  readonly needed: boolean;
}

/** Runs verbs as operations, each of which has its VM to itself. */
export class VerbRunner {
  readonly #operations: OperationService;
  readonly #directory: VmDirectory;

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
          if (plan.needed) this.#directory.letGo(record);
        }
      },
    );
    // Its work begins after us. An operation that could not be recorded has no work, and keeps nobody from the VM.
    if (plan.needed) this.#directory.hold(record.id, plan.state);
    return operation;
  }
}
