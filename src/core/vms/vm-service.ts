import type { ResourceEvent } from '../../contracts/event.ts';
import type { Image } from '../../contracts/image.ts';
import type { Operation } from '../../contracts/operation.ts';
import type { CreateVmRequest, SshAccess, Vm, VmState } from '../../contracts/vm.ts';
import { AppError, describe } from '../app-error.ts';
import type { ImageService } from '../images/image-service.ts';
import { newId } from '../ids.ts';
import type { OperationContext } from '../operations/operation-context.ts';
import type { OperationService } from '../operations/operation-service.ts';
import { throwAll, Undo } from '../undo.ts';
import { LiveMachines } from './live-machines.ts';
import { planRecord, resolveSpec, type ResolvedSpec, type VmDefaults } from './machine-plan.ts';
import type { MachineRunner } from './machine-runner.ts';
import type { Disks, Engine, Engines, MachineExit, MachineFolders, MachineRuntime, SshKeys } from './ports.ts';
import type { VmRecord, VmRepository } from './repository.ts';
import { allowVerb, type VmVerb } from './vm-state.ts';

export interface VmServiceDependencies {
  readonly vms: VmRepository;
  readonly images: ImageService;
  readonly operations: OperationService;
  readonly engines: Engines;
  readonly runner: MachineRunner;
  readonly disks: Disks;
  readonly folders: MachineFolders;
  readonly keys: SshKeys;
  readonly defaults: VmDefaults;
  readonly defaultImageName: string | undefined;
  readonly cidr: string;
  readonly suggestName: () => string;
  readonly publish: (event: Omit<ResourceEvent, 'at'>) => void;
  readonly log: (message: string, facts: Record<string, unknown>) => void;
  readonly now: () => Date;
}

const START_STAGES = ['network', 'boot', 'ready'];
/** How often a made-up name may clash before the VM's own id is taken. */
const NAME_ATTEMPTS = 20;

/** The life of persistent VMs. */
export class VmService {
  readonly #deps: VmServiceDependencies;
  readonly #live: LiveMachines;
  /** What an operation is doing to a VM now; at most one has it. */
  readonly #busy = new Map<string, VmState>();
  /** Why a VM ended other than asked; until it is started again. */
  readonly #failures = new Map<string, string>();
  /** VMs whose machine may run without us having it, each with the reason: nothing of theirs may be touched. */
  readonly #setAside = new Map<string, AppError>();

  constructor(deps: VmServiceDependencies) {
    this.#deps = deps;
    this.#live = new LiveMachines((vmId, exit) => void this.#onUnexpectedExit(vmId, exit));
  }

  list(): readonly Vm[] {
    return this.#deps.vms
      .list()
      .filter((record) => !record.transient)
      .map((record) => this.#view(record));
  }

  get(name: string): Vm {
    return this.#view(this.#record(name));
  }

  runningCount(): number {
    return this.#live.count();
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
    const record = this.#record(name);
    this.#allow('ssh', record);
    const live = this.#live.get(record.id);
    if (!live) throw new AppError('INTERNAL', `VM "${name}" runs and has no VMM.`);
    return { address: record.address, ended: live.ended };
  }

  async sshAccess(name: string): Promise<SshAccess> {
    const record = this.#record(name);
    this.#allow('ssh', record);
    return this.#deps.keys.access(record.name, record.id);
  }

  /** Checks everything, reserves name and addresses, then clones and starts in an operation. */
  async create(request: CreateVmRequest): Promise<Operation> {
    const { images, engines, disks, keys, folders } = this.#deps;
    const name = request.name;
    const held = await images.hold(this.#imageName(request), `creation of VM ${name ?? ''}`.trim());
    try {
      const { image } = held;
      const spec = resolveSpec(request, image, this.#deps.defaults);
      const engine = await engines.choose();
      await images.assertSpace(await disks.allocatedBytes(image.rootfsPath), `the disk of a VM`);
      const id = newId('vm');
      folders.locate(id);
      const hostKey = await keys.generateHostKey();
      const facts = { id, image, spec, engine: engine.name, hostPublicKey: hostKey.publicKey };
      const record = this.#reserve(name, facts);
      this.#busy.set(id, 'creating');
      const stages = ['clone', 'personalise', ...(request.start ? START_STAGES : [])];
      try {
        return this.#deps.operations.start({ kind: 'vm.create', target: record.name, stages }, (context) =>
          this.#create(record, { image, hostPrivateKey: hostKey.privateKey, start: request.start, engine }, context)
            .finally(held.release)
            .finally(() => this.#release(record)),
        );
      } catch (error) {
        this.#forget(record);
        throw error;
      }
    } catch (error) {
      held.release();
      throw error;
    }
  }

  #imageName(request: CreateVmRequest): string {
    const asked = request.image ?? this.#deps.defaultImageName;
    if (asked !== undefined) return asked;
    const known = this.#deps.images.list();
    const only = known[0];
    if (only && known.length === 1) return only.name;
    throw new AppError(
      'IMAGE_NOT_FOUND',
      only ? 'Several images are there, and none is the default.' : 'There is no image to create a VM from.',
      {
        hint: only
          ? `Name one with --image (${known.map((image) => image.name).join(', ')}), or set default_image_name in the config.`
          : 'Make a first one: banger image bootstrap debian',
      },
    );
  }

  #reserve(
    name: string | undefined,
    facts: Pick<Parameters<typeof planRecord>[0], 'id' | 'image' | 'engine' | 'hostPublicKey'> & {
      readonly spec: ResolvedSpec;
    },
  ): VmRecord {
    const createdAt = this.#deps.now().toISOString();
    const record = this.#deps.vms.reserve((taken) => {
      const chosen = name ?? this.#madeUpName(facts.id, taken.names);
      return planRecord(
        { ...facts, name: chosen, transient: false, createdAt, cidr: this.#deps.cidr },
        taken.addresses,
      );
    });
    this.#deps.publish({ resource: 'vm', name: record.name, change: 'created' });
    return record;
  }

  #madeUpName(id: string, taken: ReadonlySet<string>): string {
    for (let attempt = 0; attempt < NAME_ATTEMPTS; attempt += 1) {
      const name = this.#deps.suggestName();
      if (!taken.has(name)) return name;
    }
    return id;
  }

  async #create(
    record: VmRecord,
    plan: {
      readonly image: Image;
      readonly hostPrivateKey: string;
      readonly start: boolean;
      readonly engine: Engine;
    },
    context: OperationContext,
  ): Promise<Vm> {
    const { runner, folders, keys, vms } = this.#deps;
    const undo = new Undo();
    undo.add(`record of ${record.name}`, () => this.#forget(record));
    try {
      undo.add(`machine of ${record.name}`, async () => {
        throwAll(await runner.remove(record, this.#live.take(record.id)));
      });
      const folder = await folders.create(record.id);
      await context.stage('clone', async (stage) =>
        stage.note(
          await runner.cloneDisk(plan.image, { diskPath: folder.diskPath, diskBytes: record.diskBytes }, stage.signal),
        ),
      );
      await context.stage('personalise', async (stage) => {
        await runner.personalise(record, plan.hostPrivateKey, folder.diskPath, stage.signal);
        await keys.pin(record.id, record.hostPublicKey);
      });
      if (plan.start) await this.#boot(record, plan.engine, context);
      // Only now: a daemon that is killed before leaves a VM that its next start removes. The record is read again,
      // since its image may have been promoted meanwhile.
      const ready: VmRecord = { ...(vms.find(record.id) ?? record), phase: 'ready' };
      vms.update(ready);
      undo.clear();
      return this.#view(ready, 'settled');
    } catch (error) {
      throw await undo.after(error);
    }
  }

  /** Starts a VM; one that runs already is left alone. */
  async start(name: string): Promise<Operation> {
    this.#allow('start', this.#record(name));
    const engine = await this.#deps.engines.choose();
    // Asked again: nothing may come between the answer and the taking.
    const record = this.#record(name);
    const needed = this.#allow('start', record);
    return this.#work(
      record,
      { kind: 'vm.start', state: 'starting', stages: START_STAGES, needed },
      async (context) => {
        if (needed) await this.#boot(record, engine, context);
        return this.#view(record, 'settled');
      },
    );
  }

  stop(name: string): Operation {
    const record = this.#record(name);
    const needed = this.#allow('stop', record);
    const plan = { kind: 'vm.stop', state: 'stopping', stages: ['power off', 'network'], needed } as const;
    return this.#work(record, plan, async (context) => {
      if (needed) await this.#stop(record, context);
      return record.ephemeral ? undefined : this.#view(record, 'settled');
    });
  }

  delete(name: string): Operation {
    const record = this.#record(name);
    this.#allow('delete', record);
    const plan = { kind: 'vm.delete', state: 'deleting', stages: ['delete'], needed: true } as const;
    return this.#work(record, plan, async (context) => {
      await context.stage('delete', () => this.#remove(record));
      return undefined;
    });
  }

  async #boot(record: VmRecord, engine: Engine, context: OperationContext): Promise<void> {
    this.#failures.delete(record.id);
    const { diskPath } = this.#deps.folders.locate(record.id);
    const startedAt = this.#deps.now().toISOString();
    const machine = await this.#deps.runner.boot(record, { engine, diskPath, startedAt }, context.stage);
    this.#live.add(record.id, machine, startedAt);
  }

  async #stop(record: VmRecord, context: OperationContext): Promise<void> {
    const live = this.#live.get(record.id);
    const machine = this.#live.take(record.id);
    if (!machine) return;
    await context.stage('power off', async (stage) => {
      try {
        const how = await this.#deps.runner.shutDown(record, machine, {
          signal: stage.signal,
          log: (line) => stage.log(line),
        });
        stage.note(how);
      } catch (error) {
        // Cancelled or failed half-way: the VM runs on, and is ours again.
        if (live) this.#live.add(record.id, machine, live.startedAt);
        throw error;
      }
    });
    await context.stage('network', () => this.#deps.runner.release(record));
    if (record.ephemeral) await this.#remove(record);
  }

  async #remove(record: VmRecord): Promise<void> {
    this.#deps.vms.update({ ...record, phase: 'deleting' });
    throwAll(await this.#deps.runner.remove(record, this.#live.take(record.id)));
    this.#forget(record);
  }

  #forget(record: VmRecord): void {
    this.#deps.vms.delete(record.id);
    this.#busy.delete(record.id);
    this.#failures.delete(record.id);
    this.#deps.publish({ resource: 'vm', name: record.name, change: 'deleted' });
  }

  /** Runs one verb's work as an operation that has the VM to itself. */
  #work(
    record: VmRecord,
    plan: {
      readonly kind: 'vm.start' | 'vm.stop' | 'vm.delete';
      readonly state: VmState;
      readonly stages: readonly string[];
      readonly needed: boolean;
    },
    work: (context: OperationContext) => Promise<Vm | undefined>,
  ): Operation {
    const operation = this.#deps.operations.start(
      { kind: plan.kind, target: record.name, stages: plan.stages },
      async (context) => {
        if (!plan.needed) for (const stage of plan.stages) context.skip(stage, 'nothing to do');
        try {
          return await work(context);
        } finally {
          if (plan.needed) this.#release(record);
        }
      },
    );
    // Its work begins after us. An operation that could not be recorded has no work, and keeps nobody from the VM.
    if (plan.needed) this.#busy.set(record.id, plan.state);
    return operation;
  }

  /** A VM that is gone has been taken out already, and is not told of again. */
  #release(record: VmRecord): void {
    if (this.#busy.delete(record.id)) this.#deps.publish({ resource: 'vm', name: record.name, change: 'updated' });
  }

  /** The guest powered itself off, or its VMM died. */
  async #onUnexpectedExit(vmId: string, exit: MachineExit): Promise<void> {
    const record = this.#deps.vms.find(vmId);
    if (!record) return;
    const { name } = record;
    this.#deps.log('VMM ended', { vm: name, reason: exit.reason, detail: exit.detail });
    if (exit.reason !== 'guest-shutdown' && exit.reason !== 'guest-reset') {
      this.#failures.set(vmId, `${exit.reason}: ${exit.detail}`);
    }
    // It cannot be started anew while its TAP is being taken away.
    const isIdle = !this.#busy.has(vmId);
    if (isIdle) this.#busy.set(vmId, 'stopping');
    try {
      await this.#deps.runner.release(record);
      if (record.ephemeral) await this.#remove(record);
    } catch (error) {
      this.#deps.log('Could not clean up after a VMM', { vm: name, error: describe(error) });
    } finally {
      if (isIdle) this.#release(record);
    }
  }

  /** A VMM that was found running after a restart of the daemon. */
  adopt(record: VmRecord, machine: Parameters<LiveMachines['add']>[1], runtime: MachineRuntime): void {
    this.#live.add(record.id, machine, runtime.startedAt);
  }

  /** A VM whose machine we can neither control nor rule out: as long as we live it stays as it is. */
  setAside(record: VmRecord, reason: AppError): void {
    this.#setAside.set(record.id, reason);
  }

  /** Lets go of every VMM; they run on. */
  releaseAll(): void {
    this.#live.releaseAll();
  }

  #record(name: string): VmRecord {
    const record = this.#deps.vms.findByName(name);
    if (record && !record.transient) return record;
    const known = this.list().map((vm) => vm.name);
    throw new AppError('VM_NOT_FOUND', `There is no VM "${name}".`, {
      hint: known.length === 0 ? 'Create one: banger vm create' : `VMs there are: ${known.slice(0, 20).join(', ')}.`,
    });
  }

  /** See `allowVerb`. @throws AppError VM_STATE_INVALID too, where the VM was set aside. */
  #allow(verb: VmVerb, record: VmRecord): boolean {
    const reason = this.#setAside.get(record.id);
    if (!reason) return allowVerb(verb, this.#view(record));
    const { message, hint, details } = reason;
    throw new AppError('VM_STATE_INVALID', `VM "${record.name}" cannot be asked to ${verb}. ${message}`, {
      hint,
      details,
      cause: reason,
    });
  }

  #state(record: VmRecord): VmState {
    if (this.#live.get(record.id)) return 'running';
    return this.#failures.has(record.id) || this.#setAside.has(record.id) ? 'failed' : 'stopped';
  }

  /** @param when `settled`: as it will be once the operation that works on it has ended. */
  #view(record: VmRecord, when: 'now' | 'settled' = 'now'): Vm {
    const live = this.#live.get(record.id);
    const reason = this.#setAside.get(record.id)?.message ?? this.#failures.get(record.id);
    const state = (when === 'now' && this.#busy.get(record.id)) || this.#state(record);
    return {
      id: record.id,
      name: record.name,
      state,
      imageName: record.imageName,
      cpus: record.cpus,
      memoryBytes: record.memoryBytes,
      diskBytes: record.diskBytes,
      nat: record.nat,
      address: record.address,
      macAddress: record.macAddress,
      tapName: record.tapName,
      createdAt: record.createdAt,
      ephemeral: record.ephemeral,
      ...(live && {
        startedAt: live.startedAt,
        engine: live.machine.identity.engine,
        accelerator: live.machine.identity.accelerator,
        pid: live.machine.identity.pid,
      }),
      ...(reason !== undefined && { stateReason: reason }),
    };
  }
}
