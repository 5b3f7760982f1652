/** What the domain needs of the host's (or the namespace's) network. */

/** One guest's place in the network: its TAP and the addresses that belong to it. */
export interface NetworkPort {
  /** At most 15 bytes. */
  readonly tapName: string;
  readonly address: string;
  readonly macAddress: string;
  /** What the guest reaches outside, as `readEgress` takes it. */
  readonly egress: string;
}

/** What a name server has told of a name. */
export interface ToldAddresses {
  readonly addresses: readonly string[];
  /** How long it may be remembered, `s`. */
  readonly ttlS: number;
}

/** A connection that a guest tried and was refused. */
export interface Refusal {
  /** The guest's address. */
  readonly guest: string;
  /** `tcp 192.0.2.7:443`. */
  readonly what: string;
}

/** What is told of the network as it happens; each may come at any time, and more than once for one thing. */
export interface NetworkEvents {
  /** Somebody, we or another, has changed rules of ours or an interface. */
  changed(): void;
  /** At most a few a second are told. */
  refused(refusal: Refusal): void;
}

export interface BridgePlan {
  readonly bridgeName: string;
  /** The bridge's own address: the guests' gateway. */
  readonly gateway: string;
  readonly prefixLength: number;
  /** `10.77.0.0/20`. */
  readonly cidr: string;
}

export interface HostNetwork {
  /**
   * Bridge, its address and forwarding; does nothing where all is there.
   *
   * @throws AppError NETWORK_UNAVAILABLE where the bridge's name or the network's addresses are in use by another.
   */
  ensureBridge(plan: BridgePlan, signal: AbortSignal): Promise<void>;
  /**
   * Makes the TAP, joins it to the bridge, isolated from the other ports, ties the guest's addresses to it, and brings
   * it up. Nothing of it is left where that fails.
   */
  addTap(port: NetworkPort, bridgeName: string, signal: AbortSignal): Promise<void>;
  /** Does nothing where it is gone; takes it away from a VMM that still holds it. */
  removeTap(tapName: string): Promise<void>;
  /** Replaces banger's one nftables table in one transaction. `ruleset` is text as `nft -f` takes it. */
  applyRuleset(ruleset: string, signal: AbortSignal): Promise<void>;
  /** Every table there is, as `nft -j list ruleset` tells it. */
  readRuleset(): Promise<string>;
  /**
   * Tells what happens to the table and to interfaces until `signal` is aborted.
   *
   * @throws AppError NETWORK_UNAVAILABLE, HOST_TOOL_MISSING where it ends before.
   */
  watch(tableName: string, events: NetworkEvents, signal: AbortSignal): Promise<void>;
  hasBridge(bridgeName: string): Promise<boolean>;
  /** TAPs on our bridge; none where there is no bridge. */
  listTaps(bridgeName: string): Promise<readonly string[]>;
  /** Removes bridge and table; in banger's own namespace the namespace itself goes with them. */
  removeAll(bridgeName: string, tableName: string): Promise<void>;
  /** Name servers that a guest can use, as the host resolves; empty where it has none that a guest could reach. */
  guestNameServers(): Promise<readonly string[]>;
}

/** Who may ask for which names, and what follows from the answers. */
export interface NameGateGuests {
  /** A no is told of where the guest's VM is shown. */
  mayAsk(guest: string, name: string): boolean;
  /** Opens the way to the addresses; the guest is answered afterwards. */
  learn(guest: string, told: ToldAddresses): Promise<void>;
  /** Whom to ask. */
  nameServers(): Promise<readonly string[]>;
}

/** Answers guests that reach only some hosts: for names they may ask for as the host's name server does, for no other. */
export interface NameGate {
  /** Where the rules send questions: a port of the bridge's own address. */
  readonly port: number;
  /** Does nothing where it is open. @throws AppError NETWORK_UNAVAILABLE. */
  open(address: string, guests: NameGateGuests): Promise<void>;
  close(): Promise<void>;
}
