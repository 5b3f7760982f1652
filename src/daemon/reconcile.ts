/**
 * At start: what the store says against what the machine shows. Evidence wins.
 * The order is fixed: VMMs first (nothing may be removed under one that lives), then network, then files.
 * Running it twice changes nothing more.
 */
import type { Logger } from 'pino';
import { describe } from '../core/app-error.ts';
import type { ImageFolders, ImageRepository } from '../core/images/ports.ts';
import type { NetworkService } from '../core/networks/network-service.ts';
import type { OperationService } from '../core/operations/operation-service.ts';
import type { MachineRunner } from '../core/vms/machine-runner.ts';
import type { Engines, MachineFolders, MachineRuntime, RunningMachine } from '../core/vms/ports.ts';
import type { NameReservations, VmRecord, VmRepository } from '../core/vms/repository.ts';
import type { VmService } from '../core/vms/vm-service.ts';

export interface ReconcileDependencies {
  readonly vms: VmRepository;
  readonly images: ImageRepository;
  readonly names: NameReservations;
  readonly operations: OperationService;
  readonly engines: Engines;
  readonly runner: MachineRunner;
  readonly network: NetworkService;
  readonly machineFolders: MachineFolders;
  readonly imageFolders: ImageFolders;
  readonly vmService: VmService;
  readonly log: Logger;
}

export interface ReconcileReport {
  readonly adopted: string[];
  readonly removed: string[];
  readonly failed: string[];
}

export async function reconcile(deps: ReconcileDependencies, signal: AbortSignal): Promise<ReconcileReport> {
  const report: ReconcileReport = { adopted: [], removed: [], failed: [] };
  const attempt = async (what: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      // One thing that cannot be mended must not keep the daemon, and so every other VM, from its user.
      report.failed.push(`${what}: ${describe(error)}`);
    }
  };

  await deps.operations.interruptLeftOver();
  await deps.operations.prune();
  deps.names.clearAll();
  await attempt('VMMs without a record', () => endUnrecorded(deps, report));
  const adopted: VmRecord[] = [];
  for (const record of deps.vms.list()) {
    await attempt(`VM ${record.name}`, async () => {
      if (await settleMachine(record, deps, report)) adopted.push(record);
    });
  }
  await attempt('network', async () => {
    for (const port of await deps.network.restore(adopted, signal)) {
      report.failed.push(`TAP ${port.tapName} is gone: its VM runs without a network until it is started anew`);
    }
  });
  await sweepFolders(deps, report, attempt);
  deps.log.info(report, 'reconciled');
  return report;
}

async function endUnrecorded(deps: ReconcileDependencies, report: ReconcileReport): Promise<void> {
  const { machineFolders, engines } = deps;
  const ids = new Set([...deps.vms.list().map((record) => record.id), ...(await machineFolders.list())]);
  const unrecorded: string[] = [];
  for (const id of ids) {
    if (!(await machineFolders.readRuntime(id))) unrecorded.push(machineFolders.locate(id).controlSocketPath);
  }
  report.removed.push(...(await engines.endUnrecorded(unrecorded)));
}

/** @returns true where the VM's machine lives and is ours again. */
async function settleMachine(record: VmRecord, deps: ReconcileDependencies, report: ReconcileReport): Promise<boolean> {
  if (record.transient || record.phase !== 'ready') {
    // Nothing in it is to be saved, so it need not be controlled to be ended: one may hang that was just being started.
    await deps.engines.endUnrecorded([deps.machineFolders.locate(record.id).controlSocketPath]);
    await removeMachine(record, deps, report);
    return false;
  }
  const found = await findMachine(record.id, deps);
  if (!found) {
    if (record.ephemeral) await removeMachine(record, deps, report);
    else await deps.machineFolders.clearRuntime(record.id);
    return false;
  }
  deps.vmService.adopt(record, found.machine, found.runtime);
  report.adopted.push(record.name);
  return true;
}

async function removeMachine(record: VmRecord, deps: ReconcileDependencies, report: ReconcileReport): Promise<void> {
  const failures = await deps.runner.remove(record, undefined);
  report.failed.push(...failures.map((failure) => failure.message));
  if (failures.length === 0) deps.vms.delete(record.id);
  report.removed.push(record.name);
}

async function findMachine(
  vmId: string,
  deps: ReconcileDependencies,
): Promise<{ readonly machine: RunningMachine; readonly runtime: MachineRuntime } | undefined> {
  const runtime = await deps.machineFolders.readRuntime(vmId);
  if (!runtime) return undefined;
  const machine = await deps.engines.forIdentity(runtime.identity).adopt(runtime.identity);
  return machine && { machine, runtime };
}

/** Removes folders that no record speaks of: what a crash left between making a thing and recording it. */
async function sweepFolders(
  deps: ReconcileDependencies,
  report: ReconcileReport,
  attempt: (what: string, work: () => Promise<void>) => Promise<void>,
): Promise<void> {
  const known = new Set(deps.vms.list().map((record) => record.id));
  for (const id of await deps.machineFolders.list()) {
    if (known.has(id)) continue;
    await attempt(`folder of ${id}`, async () => {
      await (await findMachine(id, deps))?.machine.kill();
      await deps.machineFolders.remove(id);
      report.removed.push(id);
    });
  }
  for (const key of await deps.imageFolders.listStaged()) {
    await attempt(`staging folder ${key}`, async () => {
      await deps.imageFolders.discard(key);
      report.removed.push(`staging/${key}`);
    });
  }
  const managed = new Set(deps.images.list().flatMap((image) => (image.managed ? [image.id] : [])));
  for (const id of await deps.imageFolders.list()) {
    if (managed.has(id)) continue;
    await attempt(`folder of image ${id}`, async () => {
      await deps.imageFolders.remove(id);
      report.removed.push(id);
    });
  }
}
