/** How the host's resolver is told to ask banger for names in the zone `vm`. Pure. */
import type { ResolverWiring } from '../../contracts/dns.ts';
import { DNS_ZONE } from '../../contracts/forwarding.ts';
import type { DnsEndpoint, ResolverFacts } from './ports.ts';

export type WiringPlan =
  | { readonly can: true; readonly wiring: Omit<ResolverWiring, 'madeFolder'> }
  /** What to do by hand. */
  | { readonly can: false; readonly why: string; readonly advice: string };

/** Where systemd-resolved listens for programs (systemd-resolved.service(8)). */
const RESOLVED_STUBS = ['127.0.0.53', '127.0.0.54'];

/**
 * Each is one file of our own in a folder made for such files; no file of anybody else's is changed.
 *
 * @param madeBy the instance, for whoever finds the file.
 */
export function planWiring(facts: ResolverFacts, server: DnsEndpoint, madeBy: string): WiringPlan {
  const head = `# Made by banger (${madeBy}); "banger dns disable" takes it away.`;
  if (facts.resolvedRuns && asksResolved(facts)) {
    if (facts.resolvedServers.length > 0) return resolvedHasServers(facts, server);
    return wire({
      resolver: 'systemd-resolved',
      path: '/etc/systemd/resolved.conf.d/banger.conf',
      content: lines(head, '[Resolve]', `DNS=${server.address}:${server.port}`, `Domains=~${DNS_ZONE}`),
      reload: ['systemctl', 'try-reload-or-restart', 'systemd-resolved.service'],
    });
  }
  const asksOwnHost = facts.nameServers.some((address) => address.startsWith('127.') || address === '::1');
  const content = lines(
    head,
    `server=/${DNS_ZONE}/${server.address}#${server.port}`,
    // Where dnsmasq is told to drop answers with private addresses, these are meant.
    `rebind-domain-ok=/${DNS_ZONE}/`,
  );
  if (asksOwnHost && facts.networkManagerRunsDnsmasq) {
    return wire({
      resolver: 'networkmanager-dnsmasq',
      path: '/etc/NetworkManager/dnsmasq.d/banger.conf',
      content,
      reload: ['nmcli', 'general', 'reload', 'dns-full'],
    });
  }
  if (asksOwnHost && facts.dnsmasqRuns) {
    const reload = facts.hasSystemd
      ? (['systemctl', 'restart', 'dnsmasq.service'] as const)
      : (['service', 'dnsmasq', 'restart'] as const);
    return wire({ resolver: 'dnsmasq', path: '/etc/dnsmasq.d/banger.conf', content, reload: [...reload] });
  }
  return {
    can: false,
    why: 'neither systemd-resolved nor dnsmasq resolves for this host',
    advice: byHand(server),
  };
}

/** What root has to do, where we are not root. */
export function commandsFor({ path, content, reload }: Pick<ResolverWiring, 'path' | 'content' | 'reload'>): string {
  return [
    `sudo install -D -m 644 /dev/stdin ${path} <<'EOF'`,
    content.trimEnd(),
    'EOF',
    `sudo ${reload.join(' ')}`,
  ].join('\n');
}

function wire(wiring: Omit<ResolverWiring, 'version' | 'madeFolder'>): WiringPlan {
  return { can: true, wiring: { version: 1, ...wiring } };
}

function asksResolved({ nameServers, asksResolvedByNss }: ResolverFacts): boolean {
  return asksResolvedByNss || nameServers.some((address) => RESOLVED_STUBS.includes(address));
}

/** Servers for everything and ours would be one list, of which systemd-resolved uses one at a time, for every name. */
function resolvedHasServers({ resolvedServers }: ResolverFacts, server: DnsEndpoint): WiringPlan {
  return {
    can: false,
    why: `systemd-resolved was given servers for every name (${resolvedServers.join(', ')}), beside which ours would be one of several`,
    advice:
      'Give those servers to an interface (`resolvectl dns INTERFACE ADDRESS`, or in its .network file) and take DNS= out ' +
      `of resolved.conf; then try again. ${byHand(server)}`,
  };
}

function byHand({ address, port }: DnsEndpoint): string {
  return `A resolver of yours that can forward a zone has to forward "${DNS_ZONE}" to ${address} port ${port}.`;
}

function lines(...texts: readonly string[]): string {
  return `${texts.join('\n')}\n`;
}
