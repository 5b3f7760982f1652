import { throwAll } from '../undo.ts';
import type { LiveMachines } from './live-machines.ts';
import type { MachineRunner } from './machine-runner.ts';
import type { VmRecord, VmRepository } from './repository.ts';
import type { VmDirectory } from './vm-directory.ts';

export interface VmRemovalDependencies {
  readonly vms: VmRepository;
  readonly directory: VmDirectory;
  readonly live: LiveMachines;
  readonly runner: MachineRunner;
}

/** Takes a VM away, running or not: first its record says so, last it goes. @throws AppError CLEANUP_FAILED. */
export async function removeVm(deps: VmRemovalDependencies, record: VmRecord): Promise<void> {
  const { vms, runner, live, directory } = deps;
  vms.update({ ...record, phase: 'deleting' });
  throwAll(await runner.remove(record, live.take(record.id)?.machine));
  directory.forget(record);
}
