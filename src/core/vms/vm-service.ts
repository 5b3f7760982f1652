import type { Operation, OperationKind } from '../../contracts/operation.ts';
import type { CreateVmRequest, SshAccess, Vm, VmState } from '../../contracts/vm.ts';
import { AppError, describe } from '../app-error.ts';
import type { OperationContext } from '../operations/operation-context.ts';
import type { OperationService } from '../operations/operation-service.ts';
import { throwAll } from '../undo.ts';
import type { LiveMachines } from './live-machines.ts';
import { BOOT_STAGES, type MachineRunner } from './machine-runner.ts';
import type { Engine, Engines, MachineExit, MachineFolders, MachineRuntime, RunningMachine, SshKeys } from './ports.ts';
import type { VmRecord, VmRepository } from './repository.ts';
import type { VmCreation } from './vm-creation.ts';
import type { VmDirectory } from './vm-directory.ts';

export interface VmServiceDependencies {
  readonly vms: VmRepository;
  readonly directory: VmDirectory;
  readonly live: LiveMachines;
  readonly creation: VmCreation;
  readonly operations: OperationService;
  readonly engines: Engines;
  readonly runner: MachineRunner;
  readonly folders: MachineFolders;
  readonly keys: SshKeys;
  readonly log: (message: string, facts: Record<string, unknown>) => void;
  readonly now: () => Date;
}

const STOP_STAGES: readonly string[] = ['power off', 'detach'];

/** One verb's work on one VM. */
interface VerbPlan {
  readonly kind: Extract<OperationKind, `vm.${string}`>;
  /** What the VM is shown as meanwhile. */
  readonly state: VmState;
  readonly stages: readonly string[];
  /** False where it is so already. */
  readonly needed: boolean;
}

/** The life of persistent VMs. */
export class VmService {
  readonly #deps: VmServiceDependencies;

  constructor(deps: VmServiceDependencies) {
    this.#deps = deps;
    deps.live.onUnexpectedExit((vmId, exit) => void this.#onUnexpectedExit(vmId, exit));
  }

  list(): readonly Vm[] {
    return this.#deps.directory.list();
  }

  get(name: string): Vm {
    return this.#deps.directory.get(name);
  }

  runningCount(): number {
    return this.#deps.live.count();
  }

  runningNames(): readonly string[] {
    return this.list()
      .filter((vm) => vm.state === 'running')
      .map((vm) => vm.name);
  }

  /**
   * Where a running guest is reached, and when it is so no more: a guest that is gone closes no connection.
   *
   * @throws AppError VM_NOT_FOUND, VM_STATE_INVALID.
   */
  reach(name: string): { readonly address: string; readonly ended: AbortSignal } {
    const { directory, live } = this.#deps;
    const record = directory.record(name);
    directory.allow('ssh', record);
    const machine = live.get(record.id);
    if (!machine) throw new AppError('INTERNAL', `VM "${name}" runs and has no VMM.`);
    return { address: record.address, ended: machine.ended };
  }

  async sshAccess(name: string): Promise<SshAccess> {
    const { directory, keys } = this.#deps;
    const record = directory.record(name);
    directory.allow('ssh', record);
    return keys.access(record.name, record.id);
  }

  /** Checks everything, reserves name and addresses, then clones and starts in an operation. */
  create(request: CreateVmRequest): Promise<Operation> {
    return this.#deps.creation.create(request, (record, engine, context) => this.#boot(record, engine, context));
  }

  /** Starts a VM; one that runs already is left alone. */
  async start(name: string): Promise<Operation> {
    const { directory, engines } = this.#deps;
    directory.allow('start', directory.record(name));
    const engine = await engines.choose();
    // Asked again: nothing may come between the answer and the taking.
    const record = directory.record(name);
    const needed = directory.allow('start', record);
    return this.#work(record, { kind: 'vm.start', state: 'starting', stages: BOOT_STAGES, needed }, async (context) => {
      if (needed) await this.#boot(record, engine, context);
      return directory.view(record, 'settled');
    });
  }

  stop(name: string): Operation {
    const { directory } = this.#deps;
    const record = directory.record(name);
    const needed = directory.allow('stop', record);
    const plan = { kind: 'vm.stop', state: 'stopping', stages: STOP_STAGES, needed } as const;
    return this.#work(record, plan, async (context) => {
      if (needed) await this.#stop(record, context);
      return record.ephemeral ? undefined : directory.view(record, 'settled');
    });
  }

  delete(name: string): Operation {
    const { directory } = this.#deps;
    const record = directory.record(name);
    directory.allow('delete', record);
    const plan = { kind: 'vm.delete', state: 'deleting', stages: ['delete'], needed: true } as const;
    return this.#work(record, plan, async (context) => {
      await context.stage('delete', () => this.#remove(record));
      return undefined;
    });
  }

  async #boot(record: VmRecord, engine: Engine, context: OperationContext): Promise<void> {
    const { directory, folders, runner, live, now } = this.#deps;
    directory.clearFailure(record.id);
    const { diskPath } = folders.locate(record.id);
    const startedAt = now().toISOString();
    live.add(record.id, { ...(await runner.boot(record, { engine, diskPath, startedAt }, context)), startedAt });
  }

  async #stop(record: VmRecord, context: OperationContext): Promise<void> {
    const { live, runner } = this.#deps;
    const taken = live.take(record.id);
    if (!taken) return;
    await context.stage('power off', async ({ signal, log, note }) => {
      try {
        note(await runner.shutDown(record, taken, { signal, log }));
      } catch (error) {
        // Cancelled or failed half-way: the VM runs on, and is ours again.
        live.add(record.id, taken);
        throw error;
      }
    });
    await context.stage('detach', () => runner.release(record));
    if (record.ephemeral) await this.#remove(record);
  }

  async #remove(record: VmRecord): Promise<void> {
    const { vms, runner, live, directory } = this.#deps;
    vms.update({ ...record, phase: 'deleting' });
    throwAll(await runner.remove(record, live.take(record.id)?.machine));
    directory.forget(record);
  }

  /** Runs one verb's work as an operation that has the VM to itself. */
  #work(record: VmRecord, plan: VerbPlan, work: (context: OperationContext) => Promise<Vm | undefined>): Operation {
    const { operations, directory } = this.#deps;
    const operation = operations.start(
      { kind: plan.kind, target: record.name, stages: plan.stages },
      async (context) => {
        if (!plan.needed) for (const stage of plan.stages) context.skip(stage, 'nothing to do');
        try {
          return await work(context);
        } finally {
          if (plan.needed) directory.letGo(record);
        }
      },
    );
    // Its work begins after us. An operation that could not be recorded has no work, and keeps nobody from the VM.
    if (plan.needed) directory.hold(record.id, plan.state);
    return operation;
  }

  /** The guest powered itself off, or its VMM died. */
  async #onUnexpectedExit(vmId: string, exit: MachineExit): Promise<void> {
    const { vms, directory, runner, log } = this.#deps;
    const record = vms.find(vmId);
    if (!record) return;
    const { name } = record;
    log('VMM ended', { vm: name, reason: exit.reason, detail: exit.detail });
    if (exit.reason !== 'guest-shutdown' && exit.reason !== 'guest-reset') {
      directory.setFailure(vmId, `${exit.reason}: ${exit.detail}`);
    }
    // It cannot be started anew while its TAP is being taken away.
    const isIdle = !directory.isBusy(vmId);
    if (isIdle) directory.hold(vmId, 'stopping');
    try {
      await runner.release(record);
      if (record.ephemeral) await this.#remove(record);
    } catch (error) {
      log('Could not clean up after a VMM', { vm: name, error: describe(error) });
    } finally {
      if (isIdle) directory.letGo(record);
    }
  }

  /** A VMM that was found running after a restart of the daemon. */
  adopt(record: VmRecord, machine: RunningMachine, runtime: MachineRuntime): void {
    const { live, runner } = this.#deps;
    live.add(record.id, { machine, agent: runner.linkAgent(record, machine), startedAt: runtime.startedAt });
  }

  /** As VmDirectory.setAside. */
  setAside(record: VmRecord, reason: AppError): void {
    this.#deps.directory.setAside(record, reason);
  }

  /** Lets go of every VMM; they run on. */
  releaseAll(): void {
    this.#deps.live.releaseAll();
  }
}
