import { DOCKER_MODULES, DOCKER_SYSCTL, rootfsAsset } from '../rootfs-files.ts';
import type { StepPlan } from '../step-plan.ts';

/** @param tree the request's modules folder, and the kernel version it is for. */
export function modulesStep(tree: { readonly hostDir: string; readonly version: string }): StepPlan {
  return {
    name: 'modules',
    scriptPath: 'steps/modules.sh',
    env: { BANGER_MODULES_VERSION: tree.version },
    files: [
      { to: 'modules-load.conf', source: { asset: rootfsAsset(DOCKER_MODULES) } },
      { to: 'sysctl.conf', source: { asset: rootfsAsset(DOCKER_SYSCTL) } },
    ],
    fetches: [],
    trees: [{ hostDir: tree.hostDir, to: 'tree' }],
    timeoutMs: 2 * 60_000,
  };
}
