/**
 * A `NetworkService` with its name gate in the network namespace this program was started in, on guests that are
 * interfaces of the test: `node network-service-driver.ts '{"nameServer": ..., "cidr": ...}'`.
 * Takes one JSON array `[method, ...arguments]` a line on stdin; writes one JSON object a line: what the method returned
 * (`{"ok": ...}` or `{"error": ...}`), in order, and in between what the service tells (`{"told": ...}`).
 */
import { createInterface } from 'node:readline';
import { DnsNameGate } from '../../src/adapters/name-gate/name-gate.ts';
import { joinBridgeBatch, portAddressBatch } from '../../src/adapters/host-network/commands.ts';
import { LinuxNetwork } from '../../src/adapters/host-network/linux-network.ts';
import { toAppError } from '../../src/core/app-error.ts';
import { planAddresses, planBridge } from '../../src/core/networks/address-plan.ts';
import { NetworkService } from '../../src/core/networks/network-service.ts';
import type { NetworkPort } from '../../src/core/networks/ports.ts';
import { run } from '../../src/host/process.ts';

interface Setting {
  readonly nameServer: string;
  readonly cidr: string;
  readonly tableName: string;
}

const { nameServer, cidr, tableName } = JSON.parse(process.argv[2] ?? '') as Setting;

/** A guest's interface is there already, and is no TAP. */
class NetworkOfStandIns extends LinuxNetwork {
  override async addTap(port: NetworkPort, bridgeName: string): Promise<void> {
    await run(['ip', '-batch', '-'], { input: joinBridgeBatch(port, bridgeName) });
    await run(['bridge', '-batch', '-'], { input: portAddressBatch(port) });
  }

  override async listTaps(bridgeName: string): Promise<readonly string[]> {
    const { stdout } = await run(['ip', '-json', 'link', 'show', 'master', bridgeName]);
    return (JSON.parse(stdout || '[]') as { ifname?: string }[]).flatMap(({ ifname }) => ifname ?? []);
  }

  override guestNameServers(): Promise<readonly string[]> {
    return Promise.resolve([nameServer]);
  }
}

const write = (line: unknown): void => console.log(JSON.stringify(line));
let peers: readonly (readonly [string, string])[] = [];
const network = new NetworkService(
  new NetworkOfStandIns({ mode: 'isolated', removeNamespace: () => Promise.resolve() }),
  planBridge(planAddresses(cidr), 'banger0'),
  {
    tableName,
    configuredDns: undefined,
    refusedAddresses: [],
    throughPasta: false,
    gate: new DnsNameGate(),
    peers: () => peers,
    onChange: (tapName) => write({ told: 'change', tapName }),
    log: (message, facts) => write({ told: 'log', message, facts }),
  },
);

const signal = new AbortController().signal;
const METHODS: Readonly<Record<string, (...args: never[]) => Promise<unknown>>> = {
  attach: (port: NetworkPort) => network.attach(port, signal),
  restore: (ports: readonly NetworkPort[]) => network.restore(ports, signal),
  detach: (tapName: string) => network.detach(tapName),
  setEgress: (tapName: string, egress: string) => network.setEgress(tapName, egress, signal),
  setPeers: (pairs: readonly (readonly [string, string])[]) => {
    peers = pairs;
    return network.refreshPeers(signal);
  },
  observe: (tapName: string) => network.observe(tapName),
  removeAll: () => network.removeAll(),
};

write({ ok: 'ready' });
for await (const line of createInterface({ input: process.stdin })) {
  const [name, ...args] = JSON.parse(line) as [string, ...unknown[]];
  const method = METHODS[name] as ((...args: readonly unknown[]) => Promise<unknown>) | undefined;
  try {
    if (!method) throw new Error(`No such call: ${name}`);
    write({ ok: (await method(...args)) ?? null });
  } catch (error) {
    const { code, message } = toAppError(error).toBody();
    write({ error: { code, message } });
  }
}
await network.close();
