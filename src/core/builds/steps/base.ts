import { rootfsAsset, SSHD_SETTINGS } from '../rootfs-files.ts';
import type { StepPlan } from '../step-plan.ts';
import type { StepContext } from './step-context.ts';

/** The image's own host name: neutral, since every VM is given its own before its first boot. */
const IMAGE_HOSTNAME = 'banger';

export function baseStep({ facts }: StepContext): StepPlan {
  return {
    name: 'base',
    scriptPath: 'steps/base.sh',
    env: { BANGER_HOSTNAME: IMAGE_HOSTNAME },
    files: [
      { to: 'authorized_key', source: { content: `${facts.authorizedKey.trim()}\n` } },
      { to: '50-banger.conf', source: { asset: rootfsAsset(SSHD_SETTINGS) } },
    ],
    fetches: [],
    trees: [],
    timeoutMs: 30_000,
  };
}
