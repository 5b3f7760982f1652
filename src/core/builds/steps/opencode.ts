import { OPENCODE } from '../pins.ts';
import { OPENCODE_UNIT, rootfsAsset } from '../rootfs-files.ts';
import type { StepPlan } from '../step-plan.ts';
import { npmFetch } from './npm-pin.ts';
import type { StepContext } from './step-context.ts';

export function opencodeStep({ config }: StepContext): StepPlan {
  const spec = npmFetch(OPENCODE, config.sources.opencode_version);
  return {
    name: 'opencode',
    scriptPath: 'steps/opencode.sh',
    env: { BANGER_OPENCODE_VERSION: spec.version },
    files: [{ to: 'banger-opencode.service', source: { asset: rootfsAsset(OPENCODE_UNIT) } }],
    fetches: [{ spec, file: OPENCODE.file, to: 'opencode' }],
    trees: [],
    timeoutMs: 60_000,
  };
}
