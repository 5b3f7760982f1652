import { AGENT_BINARY, AGENT_MODULES, AGENT_UNIT, AGENT_VERSION, builtAsset, rootfsAsset } from '../rootfs-files.ts';
import type { StepPlan } from '../step-plan.ts';

export function agentStep(): StepPlan {
  return {
    name: 'agent',
    scriptPath: 'steps/agent.sh',
    env: {},
    files: [
      { to: 'banger-agent', source: { asset: builtAsset(AGENT_BINARY) } },
      { to: 'banger-agent.version', source: { asset: builtAsset(AGENT_VERSION) } },
      { to: 'banger-agent.service', source: { asset: rootfsAsset(AGENT_UNIT) } },
      { to: 'banger-agent.conf', source: { asset: rootfsAsset(AGENT_MODULES) } },
    ],
    fetches: [],
    trees: [],
    timeoutMs: 30_000,
  };
}
