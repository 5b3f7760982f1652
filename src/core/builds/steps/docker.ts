import type { StepPlan } from '../step-plan.ts';
import { APT_LIBRARY, aptProxy } from './apt.ts';
import type { StepContext } from './step-context.ts';

export function dockerStep({ config }: StepContext): StepPlan {
  return {
    name: 'docker',
    scriptPath: 'steps/docker.sh',
    env: aptProxy(config),
    files: [APT_LIBRARY],
    fetches: [],
    trees: [],
    timeoutMs: 10 * 60_000,
  };
}
