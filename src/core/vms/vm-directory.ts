import type { ResourceEvent } from '../../contracts/event.ts';
import type { Vm, VmState } from '../../contracts/vm.ts';
import { AppError } from '../app-error.ts';
import { nameHint } from '../name-hint.ts';
import type { LiveMachines } from './live-machines.ts';
import type { MachineShape } from './ports.ts';
import type { PeerRepository, VmRecord, VmRepository } from './repository.ts';
import { allowVerb, busy, interrupts, type VmVerb } from './vm-state.ts';

export interface VmDirectoryOptions {
  readonly vms: VmRepository;
  readonly peers: Pick<PeerRepository, 'names'>;
  readonly live: LiveMachines;
  readonly publish: (event: Omit<ResourceEvent, 'at'>) => void;
  readonly consolePath: (vmId: string) => string;
}

type RecordedVm = Omit<Vm, 'state' | 'peers'>;
type PeerNames = ReturnType<PeerRepository['names']>;

/**
 * What is known of every VM: its record, whether it runs, what is being done to it, why it failed. Records are durable;
 * the rest is true for as long as the daemon runs and is found again by evidence.
 */
export class VmDirectory {
  readonly #vms: VmRepository;
  readonly #peers: VmDirectoryOptions['peers'];
  readonly #live: LiveMachines;
  readonly #publish: VmDirectoryOptions['publish'];
  readonly #consolePath: VmDirectoryOptions['consolePath'];
  readonly #recordedViews = new WeakMap<VmRecord, RecordedVm>();
  /** What an operation is doing to a VM now; at most one has it. */
  readonly #busy = new Map<string, VmState>();
  /** Why a VM ended other than asked; until it is started again. */
  readonly #failures = new Map<string, string>();
  /** VMs whose machine may run without us having it, each with the reason: nothing of theirs may be touched. */
  readonly #setAside = new Map<string, AppError>();

  constructor({ vms, peers, live, publish, consolePath }: VmDirectoryOptions) {
    this.#vms = vms;
    this.#peers = peers;
    this.#live = live;
    this.#publish = publish;
    this.#consolePath = consolePath;
  }

  list(): readonly Vm[] {
    const peers = this.#peers.names();
    return this.#vms
      .list()
      .filter((record) => !record.transient)
      .map((record) => this.#view(record, { when: 'now', peers }));
  }

  /** Names of the VMs that a VM may talk to, in order. */
  peersOf(record: Pick<VmRecord, 'id'>): readonly string[] {
    return this.#peers.names().get(record.id) ?? [];
  }

  get(name: string): Vm {
    return this.view(this.record(name));
  }

  /** @throws AppError VM_NOT_FOUND; a build's transient VM has no name that people know. */
  record(name: string): VmRecord {
    const record = this.#vms.findByName(name);
    if (record && !record.transient) return record;
    const known = this.list().map((vm) => vm.name);
    throw new AppError('VM_NOT_FOUND', `There is no VM "${name}".`, {
      hint: nameHint(name, known, { all: 'VMs there are', none: 'Create one: banger vm create' }),
    });
  }

  /** @param when `settled`: as it will be once the operation that works on it has ended. */
  view(record: VmRecord, when: 'now' | 'settled' = 'now'): Vm {
    return this.#view(record, { when, peers: this.#peers.names() });
  }

  #view(record: VmRecord, { when, peers }: { readonly when: 'now' | 'settled'; readonly peers: PeerNames }): Vm {
    const live = this.#live.get(record.id);
    const reason = this.#setAside.get(record.id)?.message ?? this.#failures.get(record.id);
    const state = (when === 'now' && this.#busy.get(record.id)) || this.#settledState(record);
    const vm: Vm = { ...this.#recorded(record), peers: [...(peers.get(record.id) ?? [])], state };
    if (reason !== undefined) vm.stateReason = reason;
    if (!live) return vm;
    const agent = live.agent.welcome?.agent;
    return {
      ...vm,
      ...(live.shape && differs(live.shape, record) && { running: { ...live.shape } }),
      startedAt: live.startedAt,
      engine: live.machine.identity.engine,
      accelerator: live.machine.identity.accelerator,
      pid: live.machine.identity.pid,
      ...(agent !== undefined && { agentVersion: agent }),
    };
  }

  /** The part of a view that follows from the record alone; made once for each, since a list has a thousand of them. */
  #recorded(record: VmRecord): RecordedVm {
    const known = this.#recordedViews.get(record);
    if (known) return known;
    const view: RecordedVm = {
      id: record.id,
      name: record.name,
      imageName: record.imageName,
      cpus: record.cpus,
      memoryBytes: record.memoryBytes,
      diskBytes: record.diskBytes,
      origins: record.origins,
      nat: record.egress !== 'none',
      egress: record.egress,
      address: record.address,
      macAddress: record.macAddress,
      tapName: record.tapName,
      createdAt: record.createdAt,
      consolePath: this.#consolePath(record.id),
      ephemeral: record.ephemeral,
      ...(record.workspace && { workspace: record.workspace }),
    };
    this.#recordedViews.set(record, view);
    return view;
  }

  #settledState(record: VmRecord): VmState {
    if (this.#live.get(record.id)) return 'running';
    return this.#failures.has(record.id) || this.#setAside.has(record.id) ? 'failed' : 'stopped';
  }

  /**
   * See `allowVerb`.
   *
   * @throws AppError VM_BUSY; VM_STATE_INVALID, also where the VM was set aside.
   */
  allow(verb: VmVerb, record: VmRecord): boolean {
    const reason = this.#setAside.get(record.id);
    if (!reason) {
      const vm = this.view(record);
      // Its settings are being changed while it is shown as running or stopped.
      if (verb !== 'ssh' && this.#busy.has(record.id) && !interrupts(verb, vm.state)) throw busy(verb, vm);
      return allowVerb(verb, vm);
    }
    const { message, hint, details } = reason;
    throw new AppError('VM_STATE_INVALID', `VM "${record.name}" cannot be asked to ${verb}. ${message}`, {
      hint,
      details,
      cause: reason,
    });
  }

  /** A VM whose machine we can neither control nor rule out: as long as we live it stays as it is. */
  setAside(record: VmRecord, reason: AppError): void {
    this.#setAside.set(record.id, reason);
  }

  isBusy(vmId: string): boolean {
    return this.#busy.has(vmId);
  }

  /** From now on one operation has the VM. */
  hold(vmId: string, state: VmState): void {
    this.#busy.set(vmId, state);
  }

  /** Everybody may have it again. A VM that is gone has been taken out already, and is not told of again. */
  letGo(record: VmRecord): void {
    if (this.#busy.delete(record.id)) this.tell(record, 'updated');
  }

  setFailure(vmId: string, reason: string): void {
    this.#failures.set(vmId, reason);
  }

  clearFailure(vmId: string): void {
    this.#failures.delete(vmId);
  }

  /** Its record goes, and with it all that is known of it. */
  forget(record: VmRecord): void {
    this.#vms.delete(record.id);
    this.#busy.delete(record.id);
    this.#failures.delete(record.id);
    this.tell(record, 'deleted');
  }

  /** Something that befell a VM's TAP is another now; of a build's VM nobody is told. */
  tellChanged(tapName: string): void {
    const record = this.#vms.list().find((candidate) => candidate.tapName === tapName);
    if (record && !record.transient) this.tell(record, 'updated');
  }

  tell(record: Pick<VmRecord, 'name'>, change: ResourceEvent['change']): void {
    this.#publish({ resource: 'vm', name: record.name, change });
  }
}

function differs(shape: MachineShape, record: VmRecord): boolean {
  return shape.cpus !== record.cpus || shape.memoryBytes !== record.memoryBytes;
}
