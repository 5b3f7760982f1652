import type { Operation } from '../../contracts/operation.ts';
import { formatSize } from '../../contracts/size.ts';
import type { PruneVmsResult, SetVmRequest, SetVmResult, Vm, VmChange } from '../../contracts/vm.ts';
import { AppError, describe } from '../app-error.ts';
import type { ImageService } from '../images/image-service.ts';
import type { NetworkService } from '../networks/network-service.ts';
import type { OperationContext } from '../operations/operation-context.ts';
import type { OperationService } from '../operations/operation-service.ts';
import { hostnameFiles } from './guest-identity.ts';
import type { Disks, MachineFolders } from './ports.ts';
import { egressOf } from './machine-plan.ts';
import { peerIdsOf } from './peer-ids.ts';
import type { PeerRepository, VmRecord } from './repository.ts';
import type { VerbRunner } from './verb-runner.ts';
import { removeVm, type VmRemovalDependencies } from './vm-removal.ts';

export interface VmChangesDependencies extends VmRemovalDependencies {
  readonly verbs: VerbRunner;
  readonly operations: OperationService;
  readonly images: ImageService;
  readonly network: NetworkService;
  readonly peers: PeerRepository;
  readonly disks: Disks;
  readonly folders: MachineFolders;
}

const RENAME_TIMEOUT_MS = 30_000;

/** What is done to a VM beside starting and stopping it: its settings, its name, and the end of those nobody uses. */
export class VmChanges {
  readonly #deps: VmChangesDependencies;

  constructor(deps: VmChangesDependencies) {
    this.#deps = deps;
  }

  /** @throws AppError VM_NOT_FOUND, VM_BUSY, SIZE_INVALID, DISK_FULL. */
  async set(name: string, request: SetVmRequest): Promise<Operation> {
    const { directory, images } = this.#deps;
    const before = directory.record(name);
    directory.allow('set', before);
    if (request.diskBytes !== undefined) {
      assertNoShrink(before, request.diskBytes);
      await images.assertSpace(0, `growing the disk of ${name}`);
    }
    // Asked again: nothing may come between the answer and the taking.
    const record = directory.record(name);
    directory.allow('set', record);
    const { state } = directory.view(record);
    const peerIds = peerIdsOf(directory, request.peers ?? [], record.name);
    const changes = planChanges({ record, peers: directory.peersOf(record) }, request, state === 'running');
    const plan = { kind: 'vm.set', state, stages: changes.map(({ what }) => what), needed: true } as const;
    return this.#deps.verbs.run(record, plan, (context) => this.#change(record, { changes, peerIds }, context));
  }

  async #change(
    record: VmRecord,
    { changes, peerIds }: { readonly changes: readonly VmChange[]; readonly peerIds: readonly string[] },
    context: OperationContext,
  ): Promise<SetVmResult> {
    const { vms, peers, directory, disks, folders, network } = this.#deps;
    let changed = record;
    for (const change of changes) {
      await context.stage(change.what, async ({ signal, note }) => {
        const next = withChange(changed, change);
        // The record first: a disk that is smaller than its record says is grown at the next start.
        vms.update(next);
        changed = next;
        if (change.what === 'disk' && change.takesEffect === 'now') {
          await disks.grow(folders.locate(record.id).diskPath, next.diskBytes, signal);
        }
        if (change.what === 'egress') await network.setEgress(record.tapName, next.egress, signal);
        if (change.what === 'peers') {
          peers.set(record.id, peerIds);
          await network.refreshPeers(signal);
        }
        note(`${inWords(change, change.from)} to ${inWords(change, change.to)}, ${effect(change)}`);
      });
    }
    return { vm: directory.view(changed, 'settled'), changes: [...changes] };
  }

  /** @throws AppError VM_NOT_FOUND, VM_BUSY, NAME_TAKEN. */
  rename(oldName: string, newName: string): Operation {
    const { directory, vms, verbs } = this.#deps;
    const record = directory.record(oldName);
    directory.allow('rename', record);
    const { state } = directory.view(record);
    // At once, so that a name that is taken is refused before there is an operation.
    const renamed = vms.rename(record.id, newName);
    const plan = { kind: 'vm.rename', state, stages: ['guest'], needed: true } as const;
    try {
      const operation = verbs.run(renamed, plan, async (context) => {
        await context.stage('guest', async ({ signal, note }) => note(await this.#renameGuest(renamed, signal)));
        return directory.view(renamed, 'settled');
      });
      directory.tell(record, 'deleted');
      directory.tell(renamed, 'created');
      return operation;
    } catch (error) {
      vms.rename(record.id, oldName);
      throw error;
    }
  }

  /** The guest's own name; it takes it from banger at each start anyway. @returns what became of it. */
  async #renameGuest(record: VmRecord, signal: AbortSignal): Promise<string> {
    const { live, disks, folders } = this.#deps;
    const machine = live.get(record.id);
    if (!machine) {
      await disks.writeFiles(folders.locate(record.id).diskPath, { files: hostnameFiles(record.name) }, signal);
      return 'its guest bears the name from the next start on';
    }
    try {
      await machine.agent.request('setHostname', { hostname: record.name }, { timeoutMs: RENAME_TIMEOUT_MS, signal });
      return 'its guest bears the name now';
    } catch (error) {
      // Its name is changed whatever the guest thinks of it.
      if (!(error instanceof AppError) || !error.code.startsWith('AGENT_')) throw error;
      return `its guest takes the name at its next start: ${describe(error)}`;
    }
  }

  /** Deletes every VM that is stopped or has failed and that nobody works on. */
  prune(): Operation {
    const { operations, directory } = this.#deps;
    const idle = (): Vm[] => directory.list().filter((vm) => vm.state === 'stopped' || vm.state === 'failed');
    const stages = idle().map(({ name }) => name);
    return operations.start({ kind: 'vm.prune', target: 'VMs', stages }, async (context): Promise<PruneVmsResult> => {
      const deleted: string[] = [];
      let freedBytes = 0;
      for (const name of stages) {
        context.signal.throwIfAborted();
        // Somebody may have started it since.
        if (!idle().some((vm) => vm.name === name)) {
          context.skip(name, 'it is in use now');
          continue;
        }
        freedBytes += await context.stage(name, () => this.#pruneOne(name));
        deleted.push(name);
      }
      return { deleted, freedBytes };
    });
  }

  async #pruneOne(name: string): Promise<number> {
    const { directory, disks, folders } = this.#deps;
    const record = directory.record(name);
    directory.allow('delete', record);
    directory.hold(record.id, 'deleting');
    try {
      const { diskPath } = folders.locate(record.id);
      const freedBytes = await disks.allocatedBytes(diskPath).catch(() => 0);
      await removeVm(this.#deps, record);
      return freedBytes;
    } finally {
      directory.letGo(record);
    }
  }
}

function assertNoShrink(record: VmRecord, diskBytes: number): void {
  if (diskBytes >= record.diskBytes) return;
  const has = formatSize(record.diskBytes);
  throw new AppError(
    'SIZE_INVALID',
    `The disk of "${record.name}" has ${has}; ${formatSize(diskBytes)} would shrink it.`,
    {
      hint: `Give at least ${has}. A disk only grows.`,
      details: { diskBytes: record.diskBytes, askedBytes: diskBytes },
    },
  );
}

/** What is asked for and is not so already. Pure. */
export function planChanges(
  { record, peers }: { readonly record: VmRecord; readonly peers: readonly string[] },
  request: SetVmRequest,
  isRunning: boolean,
): readonly VmChange[] {
  const later = isRunning ? 'next start' : 'now';
  const askedPeers = request.peers && namesInWords(request.peers);
  const asked = [
    { what: 'cpus', from: record.cpus, to: request.cpus, takesEffect: later },
    { what: 'memory', from: record.memoryBytes, to: request.memoryBytes, takesEffect: later },
    { what: 'disk', from: record.diskBytes, to: request.diskBytes, takesEffect: later },
    { what: 'egress', from: record.egress, to: egressOf(request), takesEffect: 'now' },
    { what: 'peers', from: namesInWords(peers), to: askedPeers, takesEffect: 'now' },
  ] as const;
  return asked.flatMap(({ to, ...change }) => (to === undefined || to === change.from ? [] : [{ ...change, to }]));
}

function namesInWords(names: readonly string[]): string {
  return names.length === 0 ? 'none' : [...new Set(names)].toSorted().join(', ');
}

function withChange(record: VmRecord, { what, to }: VmChange): VmRecord {
  const { origins } = record;
  switch (what) {
    case 'cpus':
      return { ...record, cpus: Number(to), origins: { ...origins, cpus: 'flag' } };
    case 'memory':
      return { ...record, memoryBytes: Number(to), origins: { ...origins, memory: 'flag' } };
    case 'disk':
      return { ...record, diskBytes: Number(to), origins: { ...origins, disk: 'flag' } };
    case 'egress':
      return { ...record, egress: String(to) };
    case 'peers':
      return record;
  }
}

function inWords({ what }: VmChange, value: number | string): string {
  if (typeof value === 'string') return value;
  return what === 'cpus' ? String(value) : formatSize(value);
}

function effect({ takesEffect }: VmChange): string {
  return takesEffect === 'now' ? 'from now on' : 'from its next start on';
}
