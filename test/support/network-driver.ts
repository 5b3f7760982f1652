/**
 * Calls the network's adapters in the namespaces this program was started in:
 * `node network-driver.ts '{"home": ..., "mode": ..., "calls": [["ensureBridge", {...}], ...]}'`.
 * Prints one JSON line: each call's `{ok}` or `{error}`; it stops at the first error.
 */
import { lookup } from 'node:dns/promises';
import { LinuxNetwork } from '../../src/adapters/host-network/linux-network.ts';
import { bindResolvConf, ensureNamespace, removeNamespace } from '../../src/adapters/host-network/namespace.ts';
import { toAppError } from '../../src/core/app-error.ts';
import type { BridgePlan, NetworkPort } from '../../src/core/networks/ports.ts';
import { resolvePaths } from '../../src/host/paths.ts';
import { run } from '../../src/host/process.ts';

interface Work {
  readonly home: string;
  readonly mode: 'isolated' | 'host';
  readonly calls: readonly (readonly [string, ...unknown[]])[];
}

const { home, mode, calls } = JSON.parse(process.argv[2] ?? '') as Work;
const paths = resolvePaths({ BANGER_HOME: home }, process.getuid?.() ?? 0);
const signal = AbortSignal.timeout(30_000);
const network = new LinuxNetwork(
  mode === 'host' ? { mode } : { mode, removeNamespace: () => removeNamespace({ paths }) },
);

const METHODS: Readonly<Record<string, (...args: never[]) => Promise<unknown>>> = {
  ensureBridge: (plan: BridgePlan) => network.ensureBridge(plan, signal),
  addTap: (port: NetworkPort, bridgeName: string) => network.addTap(port, bridgeName, signal),
  removeTap: (tapName: string) => network.removeTap(tapName),
  applyRuleset: (ruleset: string) => network.applyRuleset(ruleset, signal),
  listTaps: (bridgeName: string) => network.listTaps(bridgeName),
  removeAll: (bridgeName: string, tableName: string) => network.removeAll(bridgeName, tableName),
  guestNameServers: () => network.guestNameServers(),
  ensureNamespace: () => ensureNamespace({ paths, signal }),
  ensureNamespaceThrice: () => Promise.all([1, 2, 3].map(() => ensureNamespace({ paths, signal }))),
  removeNamespace: () => removeNamespace({ paths }),
  bindResolvConf: () => bindResolvConf(paths),
  /** As programs resolve: through /etc/resolv.conf. */
  lookup: async (name: string) => (await lookup(name, 4)).address,
  /** Only in a mount namespace of our own: nothing that is mounted on / from now on is seen outside. */
  hideMounts: () => run(['mount', '--make-private', '/']),
  mount: (...args: string[]) => run(['mount', ...args]),
};

const results: unknown[] = [];
for (const [name, ...args] of calls) {
  const method = METHODS[name] as ((...args: readonly unknown[]) => Promise<unknown>) | undefined;
  if (!method) throw new Error(`No such call: ${name}`);
  try {
    results.push({ ok: (await method(...args)) ?? null });
  } catch (error) {
    const { code, message, hint, details } = toAppError(error).toBody();
    results.push({ error: { code, message, hint, details } });
    break;
  }
}
console.log(JSON.stringify(results));
