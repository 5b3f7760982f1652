import type { Operation } from '../../contracts/operation.ts';
import type { CreateVmRequest, KillSignal, SshAccess, Vm } from '../../contracts/vm.ts';
import { AppError, describe } from '../app-error.ts';
import type { OperationContext } from '../operations/operation-context.ts';
import { BOOT_STAGES } from './machine-runner.ts';
import type { ChosenEngine, Engines, MachineExit, RunningMachine } from './engine.ts';
import type { Disks, MachineFolders, MachineRuntime, SshKeys } from './ports.ts';
import type { VmRecord } from './repository.ts';
import type { VerbRunner } from './verb-runner.ts';
import type { VmCreation } from './vm-creation.ts';
import { removeVm, type VmRemovalDependencies } from './vm-removal.ts';

export interface VmServiceDependencies extends VmRemovalDependencies {
  readonly verbs: VerbRunner;
  readonly creation: VmCreation;
  readonly engines: Engines;
  readonly disks: Disks;
  readonly folders: MachineFolders;
  readonly keys: SshKeys;
  readonly log: (message: string, facts: Record<string, unknown>) => void;
  readonly now: () => Date;
}

const STOP_STAGES: readonly string[] = ['power off', 'detach'];
const KILL_STAGES: readonly string[] = ['kill', 'detach'];

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
    return this.#deps.creation.create(request, (record, chosen, context) => this.#boot(record, chosen, context));
  }

  /** Starts a VM; one that runs already is left alone. */
  async start(name: string): Promise<Operation> {
    const { directory, engines } = this.#deps;
    const asked = directory.record(name);
    directory.allow('start', asked);
    const chosen = await engines.choose(asked);
    // Asked again: nothing may come between the answer and the taking.
    const record = directory.record(name);
    const needed = directory.allow('start', record);
    return this.#deps.verbs.run(
      record,
      { kind: 'vm.start', state: 'starting', stages: BOOT_STAGES, needed },
      async (context) => {
        if (needed) await this.#boot(record, chosen, context);
        return directory.view(record, 'settled');
      },
    );
  }

  /** Stops a VM cleanly and starts it again, in one operation; one that is stopped is started. */
  async restart(name: string): Promise<Operation> {
    const { directory, engines, verbs } = this.#deps;
    const asked = directory.record(name);
    directory.allow('restart', asked);
    const chosen = await engines.choose(asked);
    const record = directory.record(name);
    directory.allow('restart', record);
    const stages = [...STOP_STAGES, ...BOOT_STAGES];
    const plan = { kind: 'vm.restart', state: 'starting', stages, needed: true } as const;
    return verbs.run(record, plan, async (context) => {
      if (this.#deps.live.get(record.id)) await this.#stop(record, context);
      else for (const stage of STOP_STAGES) context.skip(stage, 'it does not run');
      await this.#boot(record, chosen, context);
      return directory.view(record, 'settled');
    });
  }

  /** Ends a VM's VMM by a signal; the guest is not asked. A start or a stop that is under way is cancelled for it. */
  kill(name: string, signal: KillSignal): Operation {
    const { directory, verbs } = this.#deps;
    const record = directory.record(name);
    const needed = directory.allow('kill', record);
    const plan = { kind: 'vm.kill', state: 'stopping', stages: KILL_STAGES } as const;
    const work = async (context: OperationContext): Promise<Vm | undefined> => {
      if (needed) await this.#kill(record, signal, context);
      return record.ephemeral ? undefined : directory.view(record, 'settled');
    };
    return directory.isBusy(record.id)
      ? verbs.takeOver(record, { ...plan, verb: 'kill' }, work)
      : verbs.run(record, { ...plan, needed }, work);
  }

  async #kill(record: VmRecord, signal: KillSignal, context: OperationContext): Promise<void> {
    const { live, runner } = this.#deps;
    const taken = live.take(record.id);
    if (!taken) {
      // A start that was cancelled has taken its VMM with it.
      for (const stage of KILL_STAGES) context.skip(stage, 'it does not run any more');
      return;
    }
    await context.stage('kill', async ({ note }) => {
      try {
        note((await taken.machine.endBy(signal)).detail);
      } catch (error) {
        // It did not end: it is ours as before.
        live.add(record.id, taken);
        throw error;
      }
    });
    await context.stage('detach', () => runner.release(record));
    if (record.ephemeral) await removeVm(this.#deps, record);
  }

  stop(name: string): Operation {
    const { directory } = this.#deps;
    const record = directory.record(name);
    const needed = directory.allow('stop', record);
    const plan = { kind: 'vm.stop', state: 'stopping', stages: STOP_STAGES, needed } as const;
    return this.#deps.verbs.run(record, plan, async (context) => {
      if (needed) await this.#stop(record, context);
      return record.ephemeral ? undefined : directory.view(record, 'settled');
    });
  }

  delete(name: string): Operation {
    const { directory } = this.#deps;
    const record = directory.record(name);
    directory.allow('delete', record);
    const plan = { kind: 'vm.delete', state: 'deleting', stages: ['delete'], needed: true } as const;
    return this.#deps.verbs.run(record, plan, async (context) => {
      await context.stage('delete', () => removeVm(this.#deps, record));
      return undefined;
    });
  }

  async #boot(record: VmRecord, chosen: ChosenEngine, context: OperationContext): Promise<void> {
    const { directory, folders, disks, runner, live, now } = this.#deps;
    directory.clearFailure(record.id);
    const { diskPath } = folders.locate(record.id);
    // Asked for while the VM ran, or cut short by a crash.
    if ((await disks.inspect(diskPath)).sizeBytes < record.diskBytes) {
      await context.stage('grow', ({ signal }) => disks.grow(diskPath, record.diskBytes, signal));
    }
    const startedAt = now().toISOString();
    const booted = await runner.boot(record, { ...chosen, diskPath, startedAt }, context);
    const { cpus, memoryBytes } = record;
    live.add(record.id, { ...booted, startedAt, shape: { cpus, memoryBytes } });
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
    if (record.ephemeral) await removeVm(this.#deps, record);
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
      if (record.ephemeral) await removeVm(this.#deps, record);
    } catch (error) {
      log('Could not clean up after a VMM', { vm: name, error: describe(error) });
    } finally {
      if (isIdle) directory.letGo(record);
    }
  }

  /** A VMM that was found running after a restart of the daemon. */
  adopt(record: VmRecord, machine: RunningMachine, runtime: MachineRuntime): void {
    const { live, runner } = this.#deps;
    const { startedAt, shape } = runtime;
    live.add(record.id, { machine, agent: runner.linkAgent(record, machine), startedAt, shape });
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
