import { NETWORK_SCRIPT, NETWORK_UNIT, NETWORKD_EXCEPTION, rootfsAsset } from '../rootfs-files.ts';
import type { StepPlan } from '../step-plan.ts';

export function networkStep(): StepPlan {
  return {
    name: 'network',
    scriptPath: 'steps/network.sh',
    env: {},
    files: [
      { to: 'banger-network-bootstrap', source: { asset: rootfsAsset(NETWORK_SCRIPT) } },
      { to: 'banger-network.service', source: { asset: rootfsAsset(NETWORK_UNIT) } },
      { to: '10-banger.network', source: { asset: rootfsAsset(NETWORKD_EXCEPTION) } },
    ],
    fetches: [],
    trees: [],
    timeoutMs: 30_000,
  };
}
