/** The one nftables table that keeps guests from the host and from each other. Pure. */
import { AppError } from '../app-error.ts';
import { parseIpv4 } from './ipv4.ts';
import type { BridgePlan, NetworkPort } from './ports.ts';

export interface FirewallOptions {
  readonly tableName: string;
  /** Port 53 of these is open to guests with NAT even where the rest of the address is not (169.254.1.1). */
  readonly nameServers: readonly string[];
  /**
   * The host's own addresses where the rules do not see them as local: in banger's namespace, pasta turns a guest's
   * connection into one of the host's, and the host would answer for itself.
   */
  readonly refusedAddresses: readonly string[];
  /**
   * True in banger's own namespace, where pasta is the way out. Debian 12's pasta answers a guest's first data with a
   * segment that has no flag at all. Connection tracking calls it invalid and does not translate its address back, so
   * it would reach the namespace itself, whose reset ends the guest's connection.
   */
  readonly throughPasta: boolean;
}

/** `banger_1a2b3c4d` for the namespace `banger-1a2b3c4d`: nftables knows no hyphens in names. */
export function tableNameOf(namespaceName: string): string {
  return namespaceName.replaceAll('-', '_');
}

/**
 * The text for `nft -f` that replaces our table, whatever is in it, in one transaction.
 *
 * Per TAP an ingress chain lets in IPv4 from the guest's own MAC and IP address and nothing else (ARP is no business
 * of the inet family and passes: the bridge's static neighbours answer it). Behind it rules go by address.
 * What neither comes from our bridge nor goes to it is left alone: in mode `host` others use these hooks too.
 *
 * The ingress chains name their TAPs, so every TAP must exist when the text is applied (before Linux 6.16).
 */
export function planRuleset(bridge: BridgePlan, ports: readonly NetworkPort[], options: FirewallOptions): string {
  const table = `inet ${identifier(options.tableName)}`;
  const bridgeName = interfaceName(bridge.bridgeName);
  const guests = ports.map((port) => port.address);
  const withNat = ports.filter((port) => port.nat).map((port) => port.address);
  const blocks = [
    addressSet('guest_addresses', guests),
    addressSet('nat_addresses', withNat),
    addressSet('name_servers', options.nameServers),
    addressSet('refused_addresses', options.refusedAddresses),
    ...ports.map(ingressChain),
    inputChain(bridgeName, options.throughPasta),
    ...forwardChains(bridgeName),
    chain('postrouting', [
      'type nat hook postrouting priority srcnat; policy accept;',
      `oifname != ${bridgeName} ip saddr @nat_addresses masquerade`,
    ]),
  ];
  return `${planRemoval(options.tableName)}table ${table} {\n${blocks.join('\n')}}\n`;
}

/** The text for `nft -f` that removes our table; it does nothing where there is none. */
export function planRemoval(tableName: string): string {
  const table = `inet ${identifier(tableName)}`;
  // "delete" alone would fail where the table is missing, so it is made first.
  return `table ${table} {}\ndelete table ${table}\n`;
}

function ingressChain(port: NetworkPort): string {
  return chain(`from_${port.tapName.replaceAll(/[^A-Za-z0-9]/g, '_')}`, [
    `type filter hook ingress device ${interfaceName(port.tapName)} priority filter; policy drop;`,
    `ether saddr ${macAddress(port.macAddress)} ip saddr ${ipv4(port.address)} accept`,
  ]);
}

/** Services of the machine (or the namespace) the bridge is on: closed, a ping and replies aside. */
function inputChain(bridgeName: string, throughPasta: boolean): string {
  return chain('input', [
    'type filter hook input priority filter; policy accept;',
    ...(throughPasta ? ['ct state invalid drop'] : []),
    `iifname != ${bridgeName} accept`,
    'ct state established,related accept',
    'icmp type echo-request accept',
    'drop',
  ]);
}

function forwardChains(bridgeName: string): string[] {
  // A refusal that is told at once: a guest that was given no NAT must not hang in connect for two minutes.
  const refuse = 'reject with icmpx admin-prohibited';
  return [
    chain('forward', [
      'type filter hook forward priority filter; policy accept;',
      `iifname ${bridgeName} jump from_guests`,
      `oifname ${bridgeName} jump to_guests`,
    ]),
    chain('from_guests', [
      `oifname ${bridgeName} drop`,
      'meta nfproto != ipv4 drop',
      'ip saddr != @guest_addresses drop',
      // What conntrack makes nothing of would leave without masquerade.
      'ct state invalid drop',
      `ip saddr != @nat_addresses ${refuse}`,
      // Published by the host (a container's port, say): the host's own service under another address.
      `ct status dnat ${refuse}`,
      'ip daddr @name_servers meta l4proto { tcp, udp } th dport 53 accept',
      `ip daddr 169.254.0.0/16 ${refuse}`,
      `ip daddr @refused_addresses ${refuse}`,
      'accept',
    ]),
    chain('to_guests', ['ip daddr @nat_addresses ct state established,related accept', 'drop']),
  ];
}

function chain(name: string, lines: readonly string[]): string {
  return `  chain ${identifier(name)} {\n${lines.map((line) => `    ${line}\n`).join('')}  }\n`;
}

function addressSet(name: string, addresses: readonly string[]): string {
  const unique = [...new Set(addresses.map(ipv4))];
  const elements = unique.length === 0 ? '' : ` elements = { ${unique.join(', ')} };`;
  return `  set ${name} { type ipv4_addr;${elements} }\n`;
}

// The values come from our own plans; checked all the same, since a wrong one would be read as rules.

function identifier(name: string): string {
  return checked(name, /^[A-Za-z][A-Za-z0-9_]{0,63}$/, 'name for nftables');
}

function interfaceName(name: string): string {
  return `"${checked(name, /^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$/, 'interface name')}"`;
}

function macAddress(address: string): string {
  return checked(address, /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/, 'MAC address');
}

function ipv4(address: string): string {
  if (parseIpv4(address) === undefined) throw new AppError('INTERNAL', `"${address}" is not an IPv4 address.`);
  return address;
}

function checked(value: string, form: RegExp, what: string): string {
  if (!form.test(value)) throw new AppError('INTERNAL', `"${value}" is not a ${what}.`);
  return value;
}
