import type { Operation } from '../../contracts/operation.ts';
import type { CreateVmRequest } from '../../contracts/vm.ts';
import { AppError, describe } from '../app-error.ts';
import type { OperationService } from '../operations/operation-service.ts';
import type { VmRepository } from './repository.ts';
import type { VmDirectory } from './vm-directory.ts';
import type { VmService } from './vm-service.ts';

export interface LeaseServiceDependencies {
  readonly vms: VmRepository;
  readonly directory: VmDirectory;
  readonly vmService: Pick<VmService, 'create' | 'delete'>;
  readonly operations: OperationService;
  readonly log: (message: string, facts: Record<string, unknown>) => void;
  /** How long a leased VM lives though nobody has taken its lease up: after it was begun, and after our own start. */
  readonly graceMs: number;
}

/** How often a deletion is begun again because another operation was quicker. */
const ATTEMPTS = 10;

/**
 * VMs that live as long as somebody is there for them. Whoever is killed lets go of the lease without a word, and the
 * VM goes too, whether it still was being created, or the daemon was started anew meanwhile.
 */
export class LeaseService {
  readonly #deps: LeaseServiceDependencies;
  /** By VM, how many hold its lease. */
  readonly #held = new Map<string, number>();
  readonly #grace = new Map<string, NodeJS.Timeout>();

  constructor(deps: LeaseServiceDependencies) {
    this.#deps = deps;
  }

  /** As VmService.create; a leased VM's time begins. */
  async create(request: CreateVmRequest): Promise<Operation> {
    const { vmService, vms } = this.#deps;
    const operation = await vmService.create(request);
    const record = vms.findByName(operation.target);
    if (record?.leased) this.#begin(record.id);
    return operation;
  }

  /**
   * Takes a lease up.
   *
   * @returns what lets go of it.
   * @throws AppError VM_NOT_FOUND; VM_STATE_INVALID where the VM is none that lives by a lease.
   */
  hold(name: string): () => void {
    const { id, leased } = this.#deps.directory.record(name);
    if (!leased)
      throw new AppError('VM_STATE_INVALID', `VM "${name}" lives by no lease.`, { hint: 'Nothing is to do.' });
    clearTimeout(this.#grace.get(id));
    this.#grace.delete(id);
    this.#held.set(id, (this.#held.get(id) ?? 0) + 1);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      const others = (this.#held.get(id) ?? 1) - 1;
      if (others > 0) {
        this.#held.set(id, others);
        return;
      }
      this.#held.delete(id);
      void this.#end(id);
    };
  }

  /** At our start: whoever held a lease of the daemon before us has a while to take it up again. */
  resume(): void {
    for (const { id, leased } of this.#deps.vms.list()) if (leased) this.#begin(id);
  }

  /** No VM is deleted any more; the next start goes on. */
  close(): void {
    for (const timer of this.#grace.values()) clearTimeout(timer);
    this.#grace.clear();
  }

  #begin(vmId: string): void {
    const timer = setTimeout(() => {
      this.#grace.delete(vmId);
      void this.#end(vmId);
    }, this.#deps.graceMs);
    this.#grace.set(vmId, timer.unref());
  }

  /** Deletes the VM, whatever is being done to it; its creation is cancelled. */
  async #end(vmId: string): Promise<void> {
    const { vms, vmService, operations, log } = this.#deps;
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const record = vms.find(vmId);
      if (!record || this.#held.has(vmId)) return;
      const { name } = record;
      try {
        const deletion = vmService.delete(name);
        log('Nobody holds the lease of a VM: it is deleted', { vm: name, operationId: deletion.id });
        await operations.wait(deletion.id);
        return;
      } catch (error) {
        const code = error instanceof AppError ? error.code : undefined;
        // Stopping, we leave it to the next start.
        if (code === 'VM_NOT_FOUND' || code === 'DAEMON_STOPPING') return;
        if (code !== 'VM_BUSY') {
          log('A VM that nobody holds the lease of could not be deleted', { vm: name, error: describe(error) });
          return;
        }
      }
      await this.#clear(name);
    }
    log('A VM that nobody holds the lease of is never left alone', { vmId });
  }

  /** Waits until nothing is being done to a VM. */
  async #clear(name: string): Promise<void> {
    const { operations } = this.#deps;
    const working = operations
      .list()
      .find(({ kind, target, state }) => state === 'running' && target === name && kind.startsWith('vm.'));
    if (!working) return;
    try {
      if (working.kind === 'vm.create') operations.cancel(working.id);
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'OPERATION_ENDED') throw error;
    }
    await operations.wait(working.id);
  }
}
