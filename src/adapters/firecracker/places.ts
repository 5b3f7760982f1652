/** Where a machine's files lie, as its VMM sees them. Pure. */
import { dirname, join } from 'node:path';
import type { MachineSpec } from '../../core/vms/engine.ts';
import { METRICS_FILE } from '../../host/paths.ts';

export interface MachinePlaces {
  readonly kernel: string;
  readonly initrd: string | undefined;
  /** In the order of the spec. */
  readonly drives: readonly string[];
  readonly console: string;
  readonly metrics: string;
  readonly apiSocket: string;
  readonly vsock: string;
}

/** Of a VMM that is in no jail. */
export function openPlaces(spec: MachineSpec): MachinePlaces {
  return {
    kernel: spec.kernelPath,
    initrd: spec.initrdPath,
    drives: spec.drives.map(({ path }) => path),
    console: spec.consolePath,
    metrics: metricsPathOf(spec),
    apiSocket: spec.controlSocketPath,
    vsock: spec.agentSocketPath,
  };
}

/** Beside the VMM's log: one line of JSON a minute, each telling what came since the one before. */
export function metricsPathOf(spec: Pick<MachineSpec, 'vmmLogPath'>): string {
  return join(dirname(spec.vmmLogPath), METRICS_FILE);
}
