/** Who is on the network now: TAPs and firewall follow the set of attached guests, one change at a time. */
import { AppError } from '../app-error.ts';
import { Undo } from '../undo.ts';
import { planRuleset } from './firewall-plan.ts';
import type { BridgePlan, HostNetwork, NetworkPort } from './ports.ts';

export interface NetworkOptions {
  readonly tableName: string;
  /** `[network] dns`: the guests' name server instead of the host's own. */
  readonly configuredDns: string | undefined;
  /** See `FirewallOptions.refusedAddresses`. */
  readonly refusedAddresses: readonly string[];
  /** See `FirewallOptions.throughPasta`. */
  readonly throughPasta: boolean;
}

/** Deadline of what must be undone or removed: nobody can cancel that. */
const REMOVAL_TIMEOUT_MS = 30_000;

export class NetworkService {
  readonly bridge: BridgePlan;
  readonly #network: HostNetwork;
  readonly #options: NetworkOptions;
  /** Attached guests by TAP name. */
  readonly #ports = new Map<string, NetworkPort>();
  #bridgeReady = false;
  #lastChange: Promise<unknown> = Promise.resolve();

  constructor(network: HostNetwork, bridge: BridgePlan, options: NetworkOptions) {
    this.#network = network;
    this.bridge = bridge;
    this.#options = options;
  }

  /**
   * Gives a guest its TAP and its rules; the bridge is made at first use.
   *
   * @throws AppError NETWORK_UNAVAILABLE, HOST_TOOL_MISSING or the signal's reason; nothing of the guest is left then.
   */
  attach(port: NetworkPort, signal: AbortSignal): Promise<void> {
    return this.#inTurn(async () => {
      signal.throwIfAborted();
      if (this.#ports.has(port.tapName)) throw new AppError('INTERNAL', `TAP ${port.tapName} is attached already.`);
      await this.#ensureBridge(signal);
      const undo = new Undo();
      try {
        await this.#network.addTap(port, this.bridge.bridgeName, signal);
        undo.add(`TAP ${port.tapName}`, () => this.#network.removeTap(port.tapName));
        this.#ports.set(port.tapName, port);
        // Cancelled in the middle, the rules may have been replaced or not.
        undo.add(`the firewall rules of ${port.tapName}`, () => {
          this.#ports.delete(port.tapName);
          return this.#applyRules(AbortSignal.timeout(REMOVAL_TIMEOUT_MS));
        });
        await this.#applyRules(signal);
      } catch (error) {
        throw await undo.after(error);
      }
    });
  }

  /** Lets a guest that is attached reach the outside, or no longer; does nothing where it is not attached. */
  setNat(tapName: string, nat: boolean, signal: AbortSignal): Promise<void> {
    return this.#inTurn(async () => {
      const before = this.#ports.get(tapName);
      if (!before || before.nat === nat) return;
      this.#ports.set(tapName, { ...before, nat });
      try {
        await this.#applyRules(signal);
      } catch (error) {
        this.#ports.set(tapName, before);
        throw error;
      }
    });
  }

  /**
   * Takes a guest off the network; does nothing where it is not on it. TAP and rules go even where the other fails.
   *
   * @throws AppError CLEANUP_FAILED, the first of those that failed, or an AggregateError of them.
   */
  detach(tapName: string): Promise<void> {
    return this.#inTurn(async () => {
      const removal = new Undo();
      removal.add(`TAP ${tapName}`, () => this.#network.removeTap(tapName));
      if (this.#ports.delete(tapName)) {
        removal.add(`the firewall rules of ${tapName}`, () =>
          this.#applyRules(AbortSignal.timeout(REMOVAL_TIMEOUT_MS)),
        );
      }
      throwFailures(await removal.run());
    });
  }

  /**
   * After a restart of the daemon: takes over the TAPs of VMs that run, and removes those of nobody.
   *
   * @returns ports whose TAP is gone: their VMs run without a network until they are started anew.
   */
  restore(ports: readonly NetworkPort[], signal: AbortSignal): Promise<readonly NetworkPort[]> {
    return this.#inTurn(async () => {
      if (ports.length > 0) await this.#ensureBridge(signal);
      const taps = new Set(await this.#network.listTaps(this.bridge.bridgeName));
      this.#ports.clear();
      for (const port of ports) if (taps.has(port.tapName)) this.#ports.set(port.tapName, port);
      // Rules may be left of guests whose TAPs are gone; where there is no bridge there never was a guest.
      const hadGuests = taps.size > 0 || ports.length > 0 || (await this.#network.hasBridge(this.bridge.bridgeName));
      if (hadGuests) await this.#applyRules(signal);
      const removal = new Undo();
      for (const tapName of taps) {
        if (!this.#ports.has(tapName)) removal.add(`TAP ${tapName}`, () => this.#network.removeTap(tapName));
      }
      throwFailures(await removal.run());
      return ports.filter((port) => !taps.has(port.tapName));
    });
  }

  /**
   * The config's name server, else those the host resolves with.
   *
   * @throws AppError NETWORK_UNAVAILABLE where there is none that a guest could reach.
   */
  async guestNameServers(): Promise<readonly string[]> {
    const nameServers = await this.#nameServers();
    if (nameServers.length > 0) return nameServers;
    throw new AppError('NETWORK_UNAVAILABLE', 'The host has no name server that a guest could reach.', {
      hint: 'Set [network] dns in the config to the address of one.',
    });
  }

  /** True where no guest is attached. */
  isEmpty(): boolean {
    return this.#ports.size === 0;
  }

  /**
   * Removes bridge and table, or the namespace they are in. For a network that `isEmpty()` only.
   *
   * @throws AppError INTERNAL where guests are attached.
   */
  removeAll(): Promise<void> {
    return this.#inTurn(async () => {
      if (!this.isEmpty()) throw new AppError('INTERNAL', 'The network still has guests.');
      this.#bridgeReady = false;
      await this.#network.removeAll(this.bridge.bridgeName, this.#options.tableName);
    });
  }

  async #ensureBridge(signal: AbortSignal): Promise<void> {
    if (this.#bridgeReady) return;
    await this.#network.ensureBridge(this.bridge, signal);
    this.#bridgeReady = true;
  }

  async #nameServers(): Promise<readonly string[]> {
    const { configuredDns } = this.#options;
    return configuredDns === undefined ? this.#network.guestNameServers() : [configuredDns];
  }

  async #applyRules(signal: AbortSignal): Promise<void> {
    const ports = [...this.#ports.values()];
    try {
      await this.#applyRulesFor(ports, signal);
    } catch (error) {
      // Rules that name a TAP which somebody deleted are refused (before Linux 6.16): one VM's loss is not everybody's.
      const taps = new Set(await this.#network.listTaps(this.bridge.bridgeName));
      const present = ports.filter((port) => taps.has(port.tapName));
      if (present.length === ports.length) throw error;
      await this.#applyRulesFor(present, signal);
    }
  }

  async #applyRulesFor(ports: readonly NetworkPort[], signal: AbortSignal): Promise<void> {
    const { tableName, refusedAddresses, throughPasta } = this.#options;
    const nameServers = await this.#nameServers();
    const rules = planRuleset(this.bridge, ports, { tableName, nameServers, refusedAddresses, throughPasta });
    await this.#network.applyRuleset(rules, signal);
  }

  /** One change after the other: each ruleset is made from the whole set of guests. */
  #inTurn<Result>(change: () => Promise<Result>): Promise<Result> {
    const result = this.#lastChange.then(change);
    // Its caller hears of a failure; the next change goes ahead all the same.
    this.#lastChange = result.catch(() => undefined);
    return result;
  }
}

function throwFailures(failures: readonly AppError[]): void {
  const [first, ...others] = failures;
  if (!first) return;
  throw others.length === 0 ? first : new AggregateError([first, ...others], first.message);
}
