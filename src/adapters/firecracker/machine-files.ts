/** The files of one run of a VMM: fresh ones of ours before it, no sockets after it. */
import { open, rm } from 'node:fs/promises';
import type { MachineSpec } from '../../core/vms/engine.ts';
import { metricsPathOf } from './places.ts';

/** Firecracker writes over what it finds, from the beginning: each run has files of its own, ours from their birth. */
export async function makeFreshFiles(spec: MachineSpec): Promise<void> {
  await removeSockets(spec);
  for (const path of [spec.consolePath, spec.vmmLogPath, metricsPathOf(spec)]) {
    // A file of its own, not the old one emptied: a jailed VMM's user had that.
    await rm(path, { force: true });
    await (await open(path, 'wx', 0o600)).close();
  }
}

/** Firecracker never removes its sockets, and does not start where one lies. */
export async function removeSockets({
  controlSocketPath,
  agentSocketPath,
}: {
  readonly controlSocketPath: string;
  readonly agentSocketPath?: string | undefined;
}): Promise<void> {
  await rm(controlSocketPath, { force: true });
  if (agentSocketPath !== undefined) await rm(agentSocketPath, { force: true });
}
