/** Tries the kernel's network features, each in a network namespace that ends with the command that tries it. */
import type { FeatureFact, HostFacts } from '../../core/doctor/ports.ts';
import { ProcessError, run } from '../../host/process.ts';

const TRIAL_TIMEOUT_MS = 10_000;

/** The shape of banger's own table: a nat chain with masquerade. */
const TRIAL_RULESET = `table inet trial {
  chain postrouting {
    type nat hook postrouting priority srcnat
    masquerade
  }
}
`;

export async function probeFeatures(
  host: { readonly isRoot: boolean; readonly programs: HostFacts['programs'] },
  signal: AbortSignal,
): Promise<HostFacts['features']> {
  // Without root, or `unshare`, there is no namespace to try it in: the host's own is never used.
  const possible = host.isRoot && host.programs.unshare !== undefined;
  const ip = possible && host.programs.ip !== undefined;
  const nft = possible && host.programs.nft !== undefined;
  const [bridge, tap, nftables] = await Promise.all([
    ip ? attempt(['ip', 'link', 'add', 'trial0', 'type', 'bridge'], { signal }) : notTried(),
    ip ? attempt(['ip', 'tuntap', 'add', 'dev', 'trial0', 'mode', 'tap'], { signal }) : notTried(),
    nft ? attempt(['nft', '-f', '-'], { signal, input: TRIAL_RULESET }) : notTried(),
  ]);
  return { bridge, tap, nftables };
}

function notTried(): FeatureFact {
  return { state: 'not-tried' };
}

async function attempt(
  argv: readonly [string, ...string[]],
  options: { readonly signal: AbortSignal; readonly input?: string },
): Promise<FeatureFact> {
  try {
    await run(['unshare', '--net', '--', ...argv], { ...options, timeoutMs: TRIAL_TIMEOUT_MS });
    return { state: 'works' };
  } catch (error) {
    if (!(error instanceof ProcessError) || error.failure === 'aborted') throw error;
    return { state: 'failed', message: error.message };
  }
}
