import { MISE } from '../pins.ts';
import { MISE_PROFILE, rootfsAsset } from '../rootfs-files.ts';
import type { StepPlan } from '../step-plan.ts';
import { npmFetch } from './npm-pin.ts';
import type { StepContext } from './step-context.ts';

export function miseStep({ config }: StepContext): StepPlan {
  return {
    name: 'mise',
    scriptPath: 'steps/mise.sh',
    env: {},
    files: [{ to: 'mise.sh', source: { asset: rootfsAsset(MISE_PROFILE) } }],
    fetches: [{ spec: npmFetch(MISE, config.sources.mise_version), file: MISE.file, to: 'mise' }],
    trees: [],
    timeoutMs: 60_000,
  };
}
