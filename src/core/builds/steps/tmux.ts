import { type GitPin, TMUX_CONTINUUM, TMUX_RESURRECT, TPM } from '../pins.ts';
import type { StepFetch, StepPlan } from '../step-plan.ts';
import type { StepContext } from './step-context.ts';

export function tmuxStep({ config }: StepContext): StepPlan {
  const { sources } = config;
  return {
    name: 'tmux',
    scriptPath: 'steps/tmux.sh',
    // Updates by the user come from upstream: a mirror that the host builds from may be a folder of the host's.
    env: {
      BANGER_TPM_URL: TPM.url,
      BANGER_RESURRECT_URL: TMUX_RESURRECT.url,
      BANGER_CONTINUUM_URL: TMUX_CONTINUUM.url,
    },
    files: [{ to: 'tmux.conf', source: { asset: 'lib/tmux.conf' } }],
    fetches: [
      plugin('tpm', sources.tpm ?? TPM),
      plugin('tmux-resurrect', sources.tmux_resurrect ?? TMUX_RESURRECT),
      plugin('tmux-continuum', sources.tmux_continuum ?? TMUX_CONTINUUM),
    ],
    trees: [],
    timeoutMs: 60_000,
  };
}

function plugin(to: string, pin: GitPin): StepFetch {
  return { spec: { kind: 'git', url: pin.url, commit: pin.commit }, file: undefined, to };
}
