/**
 * At start: what the store says against what the machine shows. Evidence wins.
 * The order is fixed: VMMs first (nothing may be removed under one that lives), then network, then files.
 * Running it twice changes nothing more.
 */
import type { Logger } from 'pino';
import { AppError, describe, toAppError } from '../core/app-error.ts';
import type { ImageFolders, ImageRepository } from '../core/images/ports.ts';
import type { NetworkService } from '../core/networks/network-service.ts';
import type { OperationService } from '../core/operations/operation-service.ts';
import type { MachineRunner } from '../core/vms/machine-runner.ts';
import type { Engines, RunningMachine } from '../core/vms/engine.ts';
import type { MachineFolders, MachineRuntime, NewerRuntime } from '../core/vms/ports.ts';
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
  const living: VmRecord[] = [];
  for (const record of deps.vms.list()) {
    await attempt(`VM ${record.name}`, async () => {
      if (await settleMachine(record, deps, report)) living.push(record);
    });
  }
  await attempt('network', async () => {
    for (const port of await deps.network.restore(living, signal)) {
      report.failed.push(`TAP ${port.tapName} is gone: its VM runs without a network until it is started anew`);
    }
  });
  await sweepFolders(deps, { report, living }, attempt);
  deps.log.info(report, 'reconciled');
  return report;
}

async function endUnrecorded(deps: ReconcileDependencies, report: ReconcileReport): Promise<void> {
  const { machineFolders, engines } = deps;
  const ids = new Set([...deps.vms.list().map((record) => record.id), ...(await machineFolders.list())]);
  const unrecorded: string[] = [];
  for (const id of ids) {
    const runtime = await machineFolders.readRuntime(id);
    if (runtime === undefined) unrecorded.push(machineFolders.locate(id).controlSocketPath);
  }
  report.removed.push(...(await engines.endUnrecorded(unrecorded)));
}

/** @returns true where the VM's machine lives and is ours again, or may live and is left alone. */
async function settleMachine(record: VmRecord, deps: ReconcileDependencies, report: ReconcileReport): Promise<boolean> {
  const unfinished = record.transient || record.phase !== 'ready';
  let found: FoundMachine | undefined;
  try {
    // Nothing in an unfinished one is to be saved, so it need not be controlled to be ended: it may hang at its start.
    if (unfinished) await endUnfinished(record.id, deps);
    else found = await findMachine(record.id, deps);
  } catch (error) {
    const reason = toAppError(error);
    deps.vmService.setAside(record, reason);
    report.failed.push(`VM ${record.name}: ${reason.message} ${reason.hint}`);
    return true;
  }
  if (unfinished || (record.ephemeral && !found)) {
    const failures = await deps.runner.remove(record, undefined);
    report.failed.push(...failures.map((failure) => failure.message));
    if (failures.length === 0) deps.vms.delete(record.id);
    report.removed.push(record.name);
    return false;
  }
  if (!found) {
    await deps.machineFolders.clearRuntime(record.id);
    return false;
  }
  deps.vmService.adopt(record, found.machine, found.runtime);
  report.adopted.push(record.name);
  return true;
}

async function endUnfinished(vmId: string, deps: ReconcileDependencies): Promise<void> {
  const runtime = await deps.machineFolders.readRuntime(vmId);
  if (runtime && 'newerVersion' in runtime) throw newerRecord(runtime);
  await deps.engines.endUnrecorded([deps.machineFolders.locate(vmId).controlSocketPath]);
}

interface FoundMachine {
  readonly machine: RunningMachine;
  readonly runtime: MachineRuntime;
}

/**
 * @returns undefined where no VMM of it runs.
 * @throws AppError where one may run that cannot be controlled: nothing of it may be ended or removed then.
 */
async function findMachine(vmId: string, deps: ReconcileDependencies): Promise<FoundMachine | undefined> {
  const runtime = await deps.machineFolders.readRuntime(vmId);
  if (!runtime) return undefined;
  if ('newerVersion' in runtime) throw newerRecord(runtime);
  const machine = await deps.engines.forIdentity(runtime.identity).adopt(runtime.identity);
  return machine && { machine, runtime };
}

function newerRecord({ newerVersion, path }: NewerRuntime): AppError {
  return new AppError(
    'VM_STATE_INVALID',
    `A newer banger has started it, and it may be running: its runtime record is of version ${newerVersion}, which ` +
      'this banger does not understand.',
    {
      hint:
        'Use the newer banger for it. Where its VMM is certainly gone, because the host was restarted: ' +
        `remove ${path}, then run \`banger daemon stop\`.`,
      details: { path, version: newerVersion },
    },
  );
}

/** Removes folders that no record speaks of: what a crash left between making a thing and recording it. */
async function sweepFolders(
  deps: ReconcileDependencies,
  { report, living }: { readonly report: ReconcileReport; readonly living: readonly VmRecord[] },
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
  // The disk of a build's VM lies in staging; one that lives here is one that could not be ended.
  const staged = living.some((record) => record.transient) ? [] : await deps.imageFolders.listStaged();
  for (const key of staged) {
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
