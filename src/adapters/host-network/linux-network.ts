/** Bridge, TAPs and firewall of the network namespace this process is in, whichever that is. */
import { readFile, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { AppError, abortCause, describe } from '../../core/app-error.ts';
import { planRemoval } from '../../core/networks/firewall-plan.ts';
import type { BridgePlan, HostNetwork, NetworkEvents, NetworkPort } from '../../core/networks/ports.ts';
import { Undo } from '../../core/undo.ts';
import {
  bridgeMacAddress,
  completeBridgeBatch,
  createBridgeBatch,
  createTapArgv,
  deleteFreeTapArgv,
  joinBridgeBatch,
  portAddressBatch,
} from './commands.ts';
import { type LinkFacts, parseLinks, parseRoutes } from './ip-json.ts';
import { findConflict } from './network-conflict.ts';
import { watchNetwork } from './network-watch.ts';
import { hostNameServers, NAMESPACE_NAME_SERVER } from './resolver.ts';
import { runTool } from './tool.ts';

/** What differs between banger's own namespace and the host's. */
export type NetworkPlace =
  | { readonly mode: 'host' }
  | {
      readonly mode: 'isolated';
      /** Takes the namespace away, and bridge, TAPs and rules with it. */
      readonly removeNamespace: () => Promise<void>;
    };

const FORWARDING_PATH = '/proc/sys/net/ipv4/ip_forward';
/** A VMM that was killed holds its TAP until the kernel has taken it down. */
const TAP_BUSY_TIMEOUT_MS = 3_000;
const TAP_BUSY_INTERVAL_MS = 50;

/**
 * Implements `HostNetwork` with `ip`, `bridge` and `nft`, as root or as uid 0 of a user namespace that owns the
 * network namespace.
 *
 * Forwarding (`net.ipv4.ip_forward`) is switched on where it is off: in banger's own namespace by default; for the
 * whole host in mode `host`, which the user asks for. It is never switched off again: others may rely on it by then.
 */
export class LinuxNetwork implements HostNetwork {
  readonly #place: NetworkPlace;

  constructor(place: NetworkPlace) {
    this.#place = place;
  }

  /**
   * Two settings beside forwarding. Ports are isolated, so a guest's question for another's MAC reaches nobody: the bridge
   * answers it, for everybody, with its own (RFC 3069; proxy_arp_pvlan in the kernel's ip-sysctl), and what guests send
   * each other goes by way of the rules. And every refusal is told in our own namespace, not one a second
   * (icmp_ratelimit): a guest that was not told waits for minutes. The host's own limit stays as it is.
   */
  async ensureBridge(plan: BridgePlan, signal: AbortSignal): Promise<void> {
    const links = await readLinks(signal);
    const existing = links.find((link) => link.name === plan.bridgeName);
    if (existing) {
      refuseForeignBridge(existing, plan);
      await ipBatch(completeBridgeBatch(plan), signal);
    } else {
      await createBridge(plan, links, signal);
    }
    await enableForwarding();
    await writeSetting(`conf/${plan.bridgeName}/proxy_arp_pvlan`, '1');
    if (this.#place.mode === 'isolated') await writeSetting('icmp_ratelimit', '0');
  }

  async addTap(port: NetworkPort, bridgeName: string, signal: AbortSignal): Promise<void> {
    await createTap(port.tapName, signal);
    const undo = new Undo();
    undo.add(`TAP ${port.tapName}`, () => this.removeTap(port.tapName));
    try {
      await ipBatch(joinBridgeBatch(port, bridgeName), signal);
      await runTool(['bridge', '-batch', '-'], { input: portAddressBatch(port), signal });
    } catch (error) {
      throw await undo.after(error);
    }
  }

  async removeTap(tapName: string): Promise<void> {
    // "link del" and not "tuntap del": it does not wait for a VMM that hangs.
    await deleteLink(tapName);
  }

  async applyRuleset(ruleset: string, signal: AbortSignal): Promise<void> {
    await runTool(['nft', '-f', '-'], { input: ruleset, signal });
  }

  async readRuleset(): Promise<string> {
    return (await runTool(['nft', '-j', 'list', 'ruleset'])).stdout;
  }

  watch(tableName: string, events: NetworkEvents, signal: AbortSignal): Promise<void> {
    return watchNetwork(tableName, events, signal);
  }

  async hasBridge(bridgeName: string): Promise<boolean> {
    return (await readLinks()).some((link) => link.name === bridgeName && link.kind === 'bridge');
  }

  async listTaps(bridgeName: string): Promise<readonly string[]> {
    const links = await readLinks();
    return links.filter((link) => link.master === bridgeName && link.kind === 'tun').map((link) => link.name);
  }

  async removeAll(bridgeName: string, tableName: string): Promise<void> {
    if (this.#place.mode === 'isolated') return this.#place.removeNamespace();
    const removal = new Undo();
    removal.add(`the nftables tables ${tableName}`, async () => {
      await runTool(['nft', '-f', '-'], { input: planRemoval(tableName) });
    });
    removal.add(`bridge ${bridgeName}`, () => deleteLink(bridgeName));
    for (const tapName of await this.listTaps(bridgeName)) {
      removal.add(`TAP ${tapName}`, () => deleteLink(tapName));
    }
    const [first, ...others] = await removal.run();
    if (first) throw others.length === 0 ? first : new AggregateError([first, ...others], first.message);
  }

  async guestNameServers(): Promise<readonly string[]> {
    return this.#place.mode === 'isolated' ? [NAMESPACE_NAME_SERVER] : hostNameServers();
  }
}

async function readLinks(signal?: AbortSignal): Promise<LinkFacts[]> {
  const { stdout } = await runTool(['ip', '-details', '-json', 'address', 'show'], signal ? { signal } : {});
  return parseLinks(stdout);
}

async function ipBatch(input: string, signal: AbortSignal): Promise<void> {
  await runTool(['ip', '-batch', '-'], { input, signal });
}

/** Ours carries our address; one with our MAC and no address is ours too, left half made by a crash. */
function refuseForeignBridge(link: LinkFacts, plan: BridgePlan): void {
  const address = `${plan.gateway}/${plan.prefixLength}`;
  const halfMade = link.addresses.length === 0 && link.macAddress === bridgeMacAddress(plan);
  if (link.kind === 'bridge' && (link.addresses.includes(address) || halfMade)) return;
  const found =
    link.kind === 'bridge' ? `has ${link.addresses.join(', ') || 'no address'}, not ${address}` : 'is no bridge';
  throw new AppError('NETWORK_UNAVAILABLE', `The interface ${link.name} exists already and ${found}.`, {
    hint:
      'Set [network] bridge_name in the config to another name. Where [network] cidr was changed: stop all VMs, ' +
      'then run `banger daemon stop`.',
    details: { interface: link.name, addresses: link.addresses },
  });
}

async function createBridge(plan: BridgePlan, links: readonly LinkFacts[], signal: AbortSignal): Promise<void> {
  const routes = parseRoutes((await runTool(['ip', '-4', '-json', 'route', 'show'], { signal })).stdout);
  const conflict = findConflict(plan, links, routes);
  if (conflict) {
    throw new AppError(
      'NETWORK_UNAVAILABLE',
      `The guests' network ${plan.cidr} overlaps ${conflict.cidr}, which ${conflict.device || 'a route'} has.`,
      {
        hint: 'Set [network] cidr in the config to a private network that is free here, such as 10.78.0.0/20.',
        details: { cidr: plan.cidr, interface: conflict.device, taken: conflict.cidr },
      },
    );
  }
  const undo = new Undo();
  undo.add(`bridge ${plan.bridgeName}`, () => deleteLink(plan.bridgeName));
  try {
    await ipBatch(createBridgeBatch(plan), signal);
  } catch (error) {
    throw await undo.after(error);
  }
}

/** @throws AppError NETWORK_UNAVAILABLE. */
async function writeSetting(name: string, value: string): Promise<void> {
  const path = `/proc/sys/net/ipv4/${name}`;
  try {
    await writeFile(path, `${value}\n`);
  } catch (error) {
    throw new AppError('NETWORK_UNAVAILABLE', `${path} could not be written: ${describe(error)}`, { cause: error });
  }
}

/** Written only where it is 0: a host that forwards already stays as it is. */
async function enableForwarding(): Promise<void> {
  if ((await readFile(FORWARDING_PATH, 'utf8')).trim() !== '0') return;
  try {
    await writeFile(FORWARDING_PATH, '1\n');
  } catch (error) {
    throw new AppError('NETWORK_UNAVAILABLE', `IPv4 forwarding could not be switched on: ${describe(error)}`, {
      hint: 'sysctl -w net.ipv4.ip_forward=1',
      cause: error,
    });
  }
}

/** A TAP of that name that nobody holds was left by a crash, and is made anew. */
async function createTap(tapName: string, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + TAP_BUSY_TIMEOUT_MS;
  for (;;) {
    // A name that exists is EBUSY either way: `ip` asks for a new one.
    const added = await runTool(createTapArgv(tapName), { signal, okStatuses: [0, 1] });
    if (added.exitStatus === 0) return;
    const deleted = await runTool(deleteFreeTapArgv(tapName), { signal, okStatuses: [0, 1] });
    if (deleted.exitStatus === 0) continue;
    const busy = /resource busy/.test(added.stderr) && /resource busy/.test(deleted.stderr);
    if (busy && performance.now() < deadline) {
      await pause(TAP_BUSY_INTERVAL_MS, signal);
      continue;
    }
    throw new AppError(
      'NETWORK_UNAVAILABLE',
      busy ? `TAP ${tapName} is held by another program.` : `TAP ${tapName} could not be made: ${added.stderr.trim()}`,
      {
        hint: busy
          ? 'A VMM of an earlier start may still run: `banger vm stop` ends it.'
          : 'The kernel needs the module tun (/dev/net/tun), and banger the right to use it.',
        details: { tapName, stderr: added.stderr },
      },
    );
  }
}

async function pause(intervalMs: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(intervalMs, undefined, { signal });
  } catch (error) {
    throw abortCause(signal, error);
  }
}

async function deleteLink(name: string): Promise<void> {
  const { exitStatus, stderr } = await runTool(['ip', 'link', 'delete', 'dev', name], { okStatuses: [0, 1] });
  if (exitStatus === 0 || /cannot find device/i.test(stderr)) return;
  throw new AppError('NETWORK_UNAVAILABLE', `Interface ${name} could not be removed: ${stderr.trim()}`);
}
