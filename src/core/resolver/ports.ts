/** What the domain needs of the host's resolver. `adapters/host-resolver` implements it; tests fake it. */
import type { ResolverWiring } from '../../contracts/dns.ts';

export interface DnsEndpoint {
  readonly address: string;
  readonly port: number;
}

/** How this host resolves names. */
export interface ResolverFacts {
  /** Servers that /etc/resolv.conf names, in their order. */
  readonly nameServers: readonly string[];
  /** Programs ask systemd-resolved by nsswitch.conf, whatever resolv.conf says. */
  readonly asksResolvedByNss: boolean;
  readonly resolvedRuns: boolean;
  /** Servers that systemd-resolved was given for everything (`DNS=`), by files other than ours. */
  readonly resolvedServers: readonly string[];
  /** NetworkManager runs a dnsmasq of its own and has programs ask it. */
  readonly networkManagerRunsDnsmasq: boolean;
  /** A dnsmasq runs as a service. */
  readonly dnsmasqRuns: boolean;
  /** systemd is the init system: services are reloaded by it. */
  readonly hasSystemd: boolean;
}

export interface HostResolver {
  facts(): Promise<ResolverFacts>;
  /** What was written down by an earlier `dns enable`; undefined where there was none, or it was undone. */
  readRecord(): Promise<ResolverWiring | undefined>;
  writeRecord(wiring: ResolverWiring): Promise<void>;
  removeRecord(): Promise<void>;
  /** Undefined where there is no such file. */
  read(path: string): Promise<string | undefined>;
  hasFolderOf(path: string): Promise<boolean>;
  /** Makes the file, and its folder where there is none. @throws AppError RESOLVER_FAILED. */
  write(path: string, content: string): Promise<void>;
  /** Removes the file, and with `folder` its folder where nothing else is in it. @throws AppError RESOLVER_FAILED. */
  remove(path: string, options: { readonly folder: boolean }): Promise<void>;
  /** @throws AppError RESOLVER_FAILED. */
  reload(argv: ResolverWiring['reload']): Promise<void>;
  /** Asks banger's own server for the probe name. Undefined where nobody answers. */
  askServer(server: DnsEndpoint): Promise<string | undefined>;
  /** Asks as every program does. Undefined where the probe name is not resolved. */
  askHost(): Promise<string | undefined>;
}
