/** Tries the kernel's network features, each in a network namespace that ends with the command that tries it. */
import type { FeatureFact, HostFacts } from '../../core/doctor/ports.ts';
import { ProcessError, run } from '../../host/process.ts';

const TRIAL_TIMEOUT_MS = 10_000;

/**
 * What banger's own tables are made of: an ingress chain per device, sets that forget,  counters by address, refusals, redirection and address translation.
 */
const TRIAL_RULESET = `table netdev trial {
  chain from_lo {
    type filter hook ingress device "lo" priority filter; policy drop;
    arp saddr ip 192.0.2.1 accept
  }
}
table inet trial {
  set guests { type ipv4_addr; elements = { 192.0.2.1 } }
  set learned { type ipv4_addr . ipv4_addr; flags dynamic,timeout; size 16; }
  counter refused { packets 0 bytes 0 }
  map refused_by { type ipv4_addr : counter; elements = { 192.0.2.1 : "refused" } }
  chain forward {
    type filter hook forward priority filter; policy accept;
    ct state established,related accept
    ip saddr . ip daddr @learned update @learned { ip saddr . ip daddr timeout 1h } accept
    counter name ip saddr map @refused_by
    ip saddr @guests reject with icmpx admin-prohibited
  }
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    ip saddr @guests udp dport 53 redirect to :5378
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr @guests masquerade
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
