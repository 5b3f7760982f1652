import type { StepPlan } from '../step-plan.ts';

export function cleanupStep(): StepPlan {
  return {
    name: 'cleanup',
    scriptPath: 'steps/cleanup.sh',
    env: {},
    files: [],
    fetches: [],
    trees: [],
    timeoutMs: 2 * 60_000,
  };
}
