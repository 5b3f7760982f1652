import type { Vm, VmStats } from '../../contracts/vm.ts';
import { AppError } from '../app-error.ts';
import type { NetworkService } from '../networks/network-service.ts';
import type { LiveMachines } from './live-machines.ts';
import type { Disks, HostUsage, MachineFolders } from './ports.ts';
import type { VmDirectory } from './vm-directory.ts';

export interface VmObservationDependencies {
  readonly directory: VmDirectory;
  readonly live: LiveMachines;
  readonly network: Pick<NetworkService, 'observe'>;
  readonly disks: Pick<Disks, 'allocatedBytes'>;
  readonly folders: MachineFolders;
  readonly usage: HostUsage;
  readonly now: () => Date;
}

/** Who asks for figures does not wait for a guest that hangs. */
const GUEST_TIMEOUT_MS = 3_000;

/** What VMs use, and what befalls them. */
export class VmObservation {
  readonly #deps: VmObservationDependencies;

  constructor(deps: VmObservationDependencies) {
    this.#deps = deps;
  }

  /** A VM, with what befell it on the network. @throws AppError VM_NOT_FOUND. */
  async show(name: string): Promise<Vm> {
    const { directory, network } = this.#deps;
    const record = directory.record(name);
    const seen = await network.observe(record.tapName);
    // It may have been renamed or deleted meanwhile.
    const vm = directory.get(name);
    if (!seen || vm.id !== record.id) return vm;
    const { refusals: connections, lastRefused: last, problem } = seen;
    return {
      ...vm,
      refused: { connections, ...(last !== undefined && { last }) },
      ...(problem !== undefined && { networkProblem: problem }),
    };
  }

  /** @throws AppError VM_NOT_FOUND. */
  async stats(name: string): Promise<VmStats> {
    const { directory, live, disks, folders, usage, now } = this.#deps;
    const record = directory.record(name);
    const machine = live.get(record.id);
    const [guest, vmm, diskAllocatedBytes] = await Promise.all([
      machine?.agent.request('stats', {}, { timeoutMs: GUEST_TIMEOUT_MS }).catch(unlessSilent),
      machine && usage.ofProcess(machine.machine.identity.pid),
      // One that is being created has none yet.
      disks.allocatedBytes(folders.locate(record.id).diskPath).catch(() => 0),
    ]);
    const { state, cpus, memoryBytes, diskBytes } = directory.view(record);
    return {
      name: record.name,
      state,
      at: now().toISOString(),
      cpus,
      memoryBytes,
      diskBytes,
      diskAllocatedBytes,
      ...(vmm && { vmm: { cpuMs: vmm.cpuMs, residentBytes: vmm.residentBytes } }),
      ...(guest && { guest }),
    };
  }
}

/** A guest without an agent, or whose agent says nothing, is seen from outside only. */
function unlessSilent(error: unknown): undefined {
  if (error instanceof AppError && error.code.startsWith('AGENT_')) return undefined;
  throw error;
}
