/** The part of the composition root that knows how guests are connected. */
import type { Config } from '../contracts/config.ts';
import { LinuxNetwork } from '../adapters/host-network/linux-network.ts';
import { removeNamespace } from '../adapters/host-network/namespace.ts';
import { DnsNameGate } from '../adapters/name-gate/name-gate.ts';
import { planAddresses, planBridge } from '../core/networks/address-plan.ts';
import { tableNameOf } from '../core/networks/firewall-plan.ts';
import { type NetworkOptions, NetworkService } from '../core/networks/network-service.ts';
import type { Paths } from '../host/paths.ts';

/** Takes banger's namespace away where no guest is in it: what a daemon that could not begin has made. */
export async function removeUnusedNamespace(paths: Paths, config: Config): Promise<void> {
  const network = new LinuxNetwork({ mode: 'isolated', removeNamespace: () => removeNamespace({ paths }) });
  const taps = await network.listTaps(config.network.bridge_name);
  if (taps.length === 0) await removeNamespace({ paths });
}

interface NetworkParts {
  readonly paths: Paths;
  readonly config: Config;
  /** Addresses of the host itself, which guests are refused in banger's namespace. */
  readonly hostAddresses: readonly string[];
}

/** The network that guests are on, as the config has it. */
export function composeNetwork(
  { paths, config, hostAddresses }: NetworkParts,
  domain: Pick<NetworkOptions, 'peers' | 'onChange' | 'log'>,
): NetworkService {
  const { mode, bridge_name: bridgeName, cidr, dns } = config.network;
  const isolated = mode === 'isolated';
  const place = isolated
    ? ({ mode: 'isolated', removeNamespace: () => removeNamespace({ paths }) } as const)
    : ({ mode: 'host' } as const);
  return new NetworkService(new LinuxNetwork(place), planBridge(planAddresses(cidr), bridgeName), {
    tableName: tableNameOf(paths.namespaceName),
    configuredDns: dns,
    refusedAddresses: isolated ? hostAddresses : [],
    throughPasta: isolated,
    gate: new DnsNameGate(),
    ...domain,
  });
}
