import type { StepPlan } from '../step-plan.ts';
import { APT_LIBRARY, APT_SOURCES_LIBRARY, aptMirrors, aptProxy } from './apt.ts';
import type { StepContext } from './step-context.ts';

export function packagesStep({ config, packages }: StepContext): StepPlan {
  return {
    name: 'packages',
    scriptPath: 'steps/packages.sh',
    env: { ...aptMirrors(config), ...aptProxy(config) },
    files: [
      APT_LIBRARY,
      APT_SOURCES_LIBRARY,
      // A file, since a thousand names would not fit into one environment variable (128 KiB, execve(2)).
      { to: 'packages.txt', source: { content: packages.map((name) => `${name}\n`).join('') } },
    ],
    fetches: [],
    trees: [],
    timeoutMs: 20 * 60_000,
  };
}
