/** What the domain needs of the host's (or the namespace's) network. */

/** One guest's place in the network: its TAP and the addresses that belong to it. */
export interface NetworkPort {
  /** At most 15 bytes. */
  readonly tapName: string;
  readonly address: string;
  readonly macAddress: string;
  /** Whether the guest reaches the outside. */
  readonly nat: boolean;
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
  hasBridge(bridgeName: string): Promise<boolean>;
  /** TAPs on our bridge; none where there is no bridge. */
  listTaps(bridgeName: string): Promise<readonly string[]>;
  /** Removes bridge and table; in banger's own namespace the namespace itself goes with them. */
  removeAll(bridgeName: string, tableName: string): Promise<void>;
  /** Name servers that a guest can use, as the host resolves; empty where it has none that a guest could reach. */
  guestNameServers(): Promise<readonly string[]>;
}
