import type { StepPlan } from '../step-plan.ts';

export function userStep(script: string): StepPlan {
  return {
    name: 'user',
    scriptPath: 'steps/user.sh',
    env: {},
    files: [{ to: 'script', source: { content: script } }],
    fetches: [],
    trees: [],
    timeoutMs: 30 * 60_000,
  };
}
