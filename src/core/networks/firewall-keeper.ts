import { AppError } from '../app-error.ts';
import { counterNameOf, type FirewallOptions, planLearned, planRuleset, type Population } from './firewall-plan.ts';
import { type FirewallFacts, readFirewall } from './firewall-state.ts';
import type { BridgePlan, HostNetwork, ToldAddresses } from './ports.ts';

export interface FirewallKeeperOptions extends Omit<FirewallOptions, 'nameServers'> {
  readonly nameServers: () => Promise<readonly string[]>;
}

/**
 * banger's tables: replaced as a whole, and what has happened in them carried over. The kernel alone holds it: counts
 * and addresses outlive a daemon, and what `nft list` shows is the truth.
 */
export class FirewallKeeper {
  readonly #network: HostNetwork;
  readonly #bridge: BridgePlan;
  readonly #options: FirewallKeeperOptions;
  /** Of the tables as we left them. */
  #fingerprint: string | undefined;

  constructor(network: HostNetwork, bridge: BridgePlan, options: FirewallKeeperOptions) {
    this.#network = network;
    this.#bridge = bridge;
    this.#options = options;
  }

  /**
   * Replaces the tables. What is refused between the reading and the replacing is not counted.
   *
   * @param forgotten guests whose learned addresses are closed: their policy is another now.
   */
  async apply(
    population: Omit<Population, 'kept'>,
    signal: AbortSignal,
    forgotten: ReadonlySet<string> = new Set(),
  ): Promise<void> {
    const { state } = await this.#read();
    const kept = { ...state, learned: state.learned.filter(({ guest }) => !forgotten.has(guest)) };
    const nameServers = await this.#options.nameServers();
    const ruleset = planRuleset(this.#bridge, { ...population, kept }, { ...this.#options, nameServers });
    this.#fingerprint = undefined;
    await this.#network.applyRuleset(ruleset, signal);
    this.#fingerprint = (await this.#read()).fingerprint;
  }

  /** False where somebody else has changed the tables since `apply`, or where that failed. */
  async isAsApplied(): Promise<boolean> {
    return this.#fingerprint !== undefined && (await this.#read()).fingerprint === this.#fingerprint;
  }

  /** Lets a guest reach addresses that it was told for a name. */
  async learn(guest: string, told: ToldAddresses, signal: AbortSignal): Promise<void> {
    if (told.addresses.length === 0) return;
    await this.#network.applyRuleset(planLearned(this.#options.tableName, guest, told), signal);
  }

  /** How many connections a guest has tried that it was refused, since it was attached. */
  async refusals(tapName: string): Promise<number> {
    return (await this.#read()).state.refusals.get(counterNameOf(tapName)) ?? 0;
  }

  async #read(): Promise<FirewallFacts> {
    const json = await this.#network.readRuleset();
    try {
      return readFirewall(json, this.#options.tableName);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      throw new AppError('NETWORK_UNAVAILABLE', `nft told nothing that can be read: ${json.slice(0, 100)}`, {
        cause: error,
      });
    }
  }
}
