import { AppError } from '../../core/app-error.ts';
import type { Engine } from '../../core/vms/engine.ts';
import { adopt } from './adopt.ts';

/**
 * Finds machines that run again, whatever has become of the program that they were started by: it may have been removed or
 * replaced. Nothing is started with it.
 */
export function adoptOnly(log: (line: string) => void): Engine {
  return {
    name: 'firecracker',
    accelerator: 'kvm',
    slowness: 1,
    capabilities: {
      snapshots: false,
      pauseRefused: undefined,
      maxCpus: 0,
      maxDrives: 0,
      limits: [],
      kernelFormats: [],
    },
    start: () => Promise.reject(new AppError('INTERNAL', 'This engine only adopts machines.')),
    adopt: (identity) => adopt(identity, log),
  };
}
