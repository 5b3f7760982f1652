/** Who is on the network now: TAPs and firewall follow the set of attached guests, one change at a time. */
import { readEgress } from '../../contracts/egress.ts';
import { AppError, describe } from '../app-error.ts';
import { Pacer } from '../pacer.ts';
import { Undo } from '../undo.ts';
import { FirewallKeeper } from './firewall-keeper.ts';
import type {
  BridgePlan,
  HostNetwork,
  NameGate,
  NameGateGuests,
  NetworkPort,
  Refusal,
  ToldAddresses,
} from './ports.ts';

export interface NetworkOptions {
  readonly tableName: string;
  /** `[network] dns`: the guests' name server instead of the host's own. */
  readonly configuredDns: string | undefined;
  /** See `FirewallOptions.refusedAddresses`. */
  readonly refusedAddresses: readonly string[];
  /** See `FirewallOptions.throughPasta`. */
  readonly throughPasta: boolean;
  readonly gate: NameGate;
  /** Addresses of VMs that may talk to each other, whether they run or not. */
  readonly peers: () => readonly (readonly [string, string])[];
  /** Something of a guest's network is another now: it was refused something, or its TAP is gone. */
  readonly onChange: (tapName: string) => void;
  readonly log: (message: string, facts: Record<string, unknown>) => void;
}

/** What befell a guest on the network. */
export interface NetworkObservation {
  /** Connections that it tried and was refused, since it was attached. */
  readonly refusals: number;
  /** The last of them, as far as it was told of: `tcp 192.0.2.7:443`. */
  readonly lastRefused: string | undefined;
  /** Why it has no network, and what mends that. */
  readonly problem: string | undefined;
}

/** A guest may try as often as it likes. */
const TELL_INTERVAL_MS = 1_000;
/** Deadline of what must be undone or removed, and of what nobody asked for: nobody can cancel that. */
const REMOVAL_TIMEOUT_MS = 30_000;

export class NetworkService implements NameGateGuests {
  readonly bridge: BridgePlan;
  readonly #network: HostNetwork;
  readonly #options: NetworkOptions;
  readonly #firewall: FirewallKeeper;
  /** Attached guests by TAP name. */
  readonly #ports = new Map<string, NetworkPort>();
  /** TAPs of attached guests that somebody deleted. */
  readonly #lost = new Set<string>();
  /** What was refused last, by the guest's address. */
  readonly #lastRefused = new Map<string, string>();
  /** Guests that were refused something since that was told. */
  readonly #refusedTaps = new Set<string>();
  readonly #telling: Pacer;
  #bridgeReady = false;
  #watching: AbortController | undefined;
  #checkWaits = false;
  #isClosed = false;
  #lastChange: Promise<unknown> = Promise.resolve();

  constructor(network: HostNetwork, bridge: BridgePlan, options: NetworkOptions) {
    this.#network = network;
    this.bridge = bridge;
    this.#options = options;
    this.#telling = new Pacer(() => {
      for (const tapName of this.#refusedTaps) options.onChange(tapName);
      this.#refusedTaps.clear();
    }, TELL_INTERVAL_MS);
    this.#firewall = new FirewallKeeper(network, bridge, {
      ...options,
      gatePort: options.gate.port,
      nameServers: () => this.nameServers(),
    });
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

  /** Changes what a guest that is attached reaches outside; does nothing where it is not attached. */
  setEgress(tapName: string, egress: string, signal: AbortSignal): Promise<void> {
    return this.#inTurn(async () => {
      const before = this.#ports.get(tapName);
      if (!before || before.egress === egress) return;
      this.#ports.set(tapName, { ...before, egress });
      try {
        await this.#applyRules(signal, new Set([before.address]));
      } catch (error) {
        this.#ports.set(tapName, before);
        throw error;
      }
    });
  }

  /** Who may talk to whom is another now. */
  refreshPeers(signal: AbortSignal): Promise<void> {
    return this.#inTurn(async () => {
      if (!this.isEmpty()) await this.#applyRules(signal);
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
      const port = this.#ports.get(tapName);
      if (port) {
        this.#ports.delete(tapName);
        this.#lost.delete(tapName);
        this.#lastRefused.delete(port.address);
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
      this.#lost.clear();
      for (const port of ports) {
        this.#ports.set(port.tapName, port);
        if (!taps.has(port.tapName)) this.#lost.add(port.tapName);
      }
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

  /** What befell a guest; undefined where it is not attached. */
  async observe(tapName: string): Promise<NetworkObservation | undefined> {
    const port = this.#ports.get(tapName);
    if (!port) return undefined;
    return {
      refusals: await this.#firewall.refusals(tapName),
      lastRefused: this.#lastRefused.get(port.address),
      problem: this.#lost.has(tapName)
        ? `its TAP ${tapName} was deleted; a restart of the VM makes it anew`
        : undefined,
    };
  }

  /**
   * The config's name server, else those the host resolves with.
   *
   * @throws AppError NETWORK_UNAVAILABLE where there is none that a guest could reach.
   */
  async guestNameServers(): Promise<readonly string[]> {
    const nameServers = await this.nameServers();
    if (nameServers.length > 0) return nameServers;
    throw new AppError('NETWORK_UNAVAILABLE', 'The host has no name server that a guest could reach.', {
      hint: 'Set [network] dns in the config to the address of one.',
    });
  }

  async nameServers(): Promise<readonly string[]> {
    const { configuredDns } = this.#options;
    return configuredDns === undefined ? this.#network.guestNameServers() : [configuredDns];
  }

  mayAsk(guest: string, name: string): boolean {
    const asked = name.toLowerCase();
    const may = this.#allowedNames(guest).some((allowed) =>
      allowed.startsWith('*.') ? asked.endsWith(allowed.slice(1)) : asked === allowed,
    );
    if (!may) this.#tellRefusal({ guest, what: `the name ${asked}` });
    return may;
  }

  learn(guest: string, told: ToldAddresses): Promise<void> {
    return this.#inTurn(async () => {
      // Its policy may be another since it asked.
      if (this.#allowedNames(guest).length === 0) return;
      await this.#firewall.learn(guest, told, AbortSignal.timeout(REMOVAL_TIMEOUT_MS));
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
      await this.#rest();
      await this.#network.removeAll(this.bridge.bridgeName, this.#options.tableName);
    });
  }

  /** Watches no more and answers for no names; rules, TAPs and guests stay. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#telling.close();
    await this.#rest();
  }

  async #rest(): Promise<void> {
    this.#watching?.abort();
    this.#watching = undefined;
    await this.#options.gate.close();
  }

  #allowedNames(guest: string): readonly string[] {
    const port = [...this.#ports.values()].find(({ address }) => address === guest);
    const read = port && readEgress(port.egress);
    return read && 'egress' in read ? read.egress.names : [];
  }

  async #ensureBridge(signal: AbortSignal): Promise<void> {
    if (this.#bridgeReady) return;
    await this.#network.ensureBridge(this.bridge, signal);
    this.#bridgeReady = true;
  }

  async #applyRules(signal: AbortSignal, forgotten?: ReadonlySet<string>): Promise<void> {
    const peers = this.#options.peers();
    const present = (): NetworkPort[] => [...this.#ports.values()].filter(({ tapName }) => !this.#lost.has(tapName));
    if (!this.#isClosed && present().some(({ egress }) => egress.startsWith('allow:'))) {
      await this.#options.gate.open(this.bridge.gateway, this);
    }
    this.#watch();
    try {
      await this.#firewall.apply({ ports: present(), peers }, signal, forgotten);
    } catch (error) {
      // Rules that name a TAP which somebody deleted are refused (before Linux 6.16): one VM's loss is not everybody's.
      const taps = new Set(await this.#network.listTaps(this.bridge.bridgeName));
      const lost = present().filter(({ tapName }) => !taps.has(tapName));
      if (lost.length === 0) throw error;
      for (const { tapName } of lost) this.#lost.add(tapName);
      await this.#firewall.apply({ ports: present(), peers }, signal, forgotten);
    }
  }

  /** Where it ends by itself, the next change of rules begins it anew: each of them replaces everything anyway. */
  #watch(): void {
    // A change that was under way when we were closed begins nothing anew.
    if (this.#watching || this.#isClosed) return;
    const watching = new AbortController();
    this.#watching = watching;
    const events = { changed: () => this.#checkSoon(), refused: (refusal: Refusal) => this.#tellRefusal(refusal) };
    this.#network.watch(this.#options.tableName, events, watching.signal).catch((error: unknown) => {
      if (watching.signal.aborted) return;
      this.#watching = undefined;
      this.#options.log('changes of the network are not noticed until the next VM starts', { error: describe(error) });
    });
  }

  /** Once for whatever comes before its turn. */
  #checkSoon(): void {
    if (this.#checkWaits || this.#isClosed) return;
    this.#checkWaits = true;
    this.#inTurn(() => {
      this.#checkWaits = false;
      return this.#check(AbortSignal.timeout(REMOVAL_TIMEOUT_MS));
    }).catch((error: unknown) => this.#options.log('the network could not be checked', { error: describe(error) }));
  }

  /**
   * Looks whether rules and TAPs are as we left them, and puts the rules back where they are not. A TAP that was deleted
   * cannot be put back: the VMM holds the end of the old one. Its VM is told of as being without a network.
   */
  async #check(signal: AbortSignal): Promise<void> {
    if (this.isEmpty()) return;
    const taps = new Set(await this.#network.listTaps(this.bridge.bridgeName));
    const lost = [...this.#ports.keys()].filter((tapName) => !taps.has(tapName) && !this.#lost.has(tapName));
    for (const tapName of lost) this.#lost.add(tapName);
    // Rules that name a TAP may outlive it (since Linux 6.16) or not.
    if (lost.length > 0 || !(await this.#firewall.isAsApplied())) {
      await this.#applyRules(signal);
      if (lost.length === 0) {
        this.#options.log('the firewall rules had been changed, and are put back', { table: this.#options.tableName });
      }
    }
    for (const tapName of lost) {
      this.#options.log('a TAP was deleted: its VM has no network until it is started anew', { tapName });
      this.#options.onChange(tapName);
    }
  }

  #tellRefusal({ guest, what }: Refusal): void {
    const port = [...this.#ports.values()].find(({ address }) => address === guest);
    if (!port) return;
    this.#lastRefused.set(guest, what);
    this.#refusedTaps.add(port.tapName);
    this.#telling.ask();
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
