/** banger's nftables tables, which keep guests from the host, from each other, and from what they may not reach. Pure. */
import { type Egress, readEgress } from '../../contracts/egress.ts';
import { parseCidr, parseIpv4 } from '../../contracts/ipv4.ts';
import { AppError } from '../app-error.ts';
import { NO_STATE, type TableState } from './firewall-state.ts';
import type { BridgePlan, NetworkPort, ToldAddresses } from './ports.ts';

export interface FirewallOptions {
  readonly tableName: string;
  /** Port 53 of these is open to guests that reach everything, even where the rest of the address is not (169.254.1.1). */
  readonly nameServers: readonly string[];
  /** Port of our own on the bridge, where questions for names go of guests that reach only some hosts. */
  readonly gatePort: number;
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

/** Who is on the network, and what of the table that stands is kept. */
export interface Population {
  readonly ports: readonly NetworkPort[];
  /** Addresses of guests that may talk to each other; named once, they may in both directions. */
  readonly peers: readonly (readonly [string, string])[];
  readonly kept?: TableState;
}

/** How long an address stays open that was told for a name, at least: programs keep addresses longer than they should. */
const LEARNED_TIMEOUT_S = 3600;
/** A name's own time may be longer, and a guest's resolver may keep it that long. */
const MAX_LEARNED_TIMEOUT_S = 24 * 3600;
/** Of all guests together. A guest that could fill it would have to own a name that it is allowed. */
const MAX_LEARNED = 65_536;
/** Refusals that are told of one by one; all are counted. */
const TOLD_REFUSALS_PER_SECOND = 5;

/** `banger_1a2b3c4d` for the namespace `banger-1a2b3c4d`: nftables knows no hyphens in names. */
export function tableNameOf(namespaceName: string): string {
  return namespaceName.replaceAll('-', '_');
}

/** The name of the counter of what a guest was refused. */
export function counterNameOf(tapName: string): string {
  return identifier(`refused_${plain(tapName)}`);
}

/**
 * The text for `nft -f` that replaces our tables, whatever is in them, in one transaction.
 *
 * Per TAP an ingress chain of the netdev family, which sees every frame, lets in IPv4 and ARP from the guest's own MAC
 * and IP address and nothing else. Behind it rules go by address. What neither comes from our bridge nor goes to it is
 * left alone: in mode `host` others use these hooks too.
 *
 * The ingress chains name their TAPs, so every TAP must exist when the text is applied (before Linux 6.16).
 */
export function planRuleset(bridge: BridgePlan, population: Population, options: FirewallOptions): string {
  const bridgeName = interfaceName(bridge.bridgeName);
  const name = identifier(options.tableName);
  const ports = population.ports.map((port) => ({ ...port, egress: policyOf(port) }));
  const filter = [
    ...sets(ports, population, options),
    ...refusalCounters(ports, population.kept ?? NO_STATE),
    ...allowedChains(ports),
    redirectChain(bridgeName, options.gatePort),
    inputChain(bridgeName, options),
    ...forwardChains(bridgeName),
    chain('postrouting', [
      'type nat hook postrouting priority srcnat; policy accept;',
      `oifname != ${bridgeName} ip saddr @nat_addresses masquerade`,
    ]),
  ];
  const sources = ports.map(ingressChain);
  return `${planRemoval(options.tableName)}table inet ${name} {\n${filter.join('\n')}}\ntable netdev ${name} {\n${sources.join('\n')}}\n`;
}

/** The text for `nft -f` that removes our tables; it does nothing where there are none. */
export function planRemoval(tableName: string): string {
  // "delete" alone would fail where the table is missing, so it is made first.
  return ['inet', 'netdev']
    .map((family) => `${family} ${identifier(tableName)}`)
    .map((table) => `table ${table} {}\ndelete table ${table}\n`)
    .join('');
}

/** The text for `nft -f` by which a guest reaches addresses that a name it may ask for was found to have. */
export function planLearned(tableName: string, guest: string, { addresses, ttlS }: ToldAddresses): string {
  const set = `inet ${identifier(tableName)} learned`;
  const lifeS = Math.min(Math.max(LEARNED_TIMEOUT_S, Math.ceil(ttlS)), MAX_LEARNED_TIMEOUT_S);
  return [...new Set(addresses)]
    .map((address) => `${ipv4(guest)} . ${ipv4(address)}`)
    .flatMap((pair) => [
      // One that is there keeps its time unless it is taken out first; and what is not there cannot be.
      `add element ${set} { ${pair} }\n`,
      `delete element ${set} { ${pair} }\n`,
      `add element ${set} { ${pair} timeout ${lifeS}s }\n`,
    ])
    .join('');
}

interface GuardedPort extends Omit<NetworkPort, 'egress'> {
  readonly egress: Egress;
}

function policyOf(port: NetworkPort): Egress {
  const read = readEgress(port.egress);
  if ('problem' in read) throw new AppError('INTERNAL', `The egress policy of ${port.tapName}: ${read.problem}.`);
  return read.egress;
}

function sets(ports: readonly GuardedPort[], { peers, kept }: Population, options: FirewallOptions): string[] {
  const having = (...modes: readonly Egress['mode'][]): string[] =>
    ports.filter(({ egress }) => modes.includes(egress.mode)).map(({ address }) => address);
  const all = having('none', 'open', 'allow').map(ipv4);
  const both = peers
    .filter((pair) => pair.every((address) => all.includes(address)))
    .flatMap(([one, other]) => [pairOf(one, other), pairOf(other, one)]);
  const gated = having('allow');
  const learned = (kept ?? NO_STATE).learned
    .filter(({ guest }) => gated.includes(guest))
    .map(({ guest, address, expiresS }) => {
      const restS = Math.max(1, Math.ceil(expiresS));
      return `${pairOf(guest, address)} timeout ${Math.max(restS, LEARNED_TIMEOUT_S)}s expires ${restS}s`;
    });
  return [
    set('guest_addresses', 'ipv4_addr;', all),
    set('open_addresses', 'ipv4_addr;', having('open').map(ipv4)),
    set('gated_addresses', 'ipv4_addr;', gated.map(ipv4)),
    set('nat_addresses', 'ipv4_addr;', having('open', 'allow').map(ipv4)),
    set('name_servers', 'ipv4_addr;', options.nameServers.map(ipv4)),
    set('refused_addresses', 'ipv4_addr;', options.refusedAddresses.map(ipv4)),
    set('peers', 'ipv4_addr . ipv4_addr;', both),
    set('learned', `ipv4_addr . ipv4_addr; flags dynamic,timeout; size ${MAX_LEARNED};`, learned),
  ];
}

/**
 * One rule for each network, and no set of networks: such a set takes none that holds another, and rules take effect in
 * one moment with the chain they are in.
 */
function allowedChains(ports: readonly GuardedPort[]): string[] {
  const guests = ports.filter(({ egress }) => egress.networks.length > 0);
  const chainName = ({ tapName }: GuardedPort): string => identifier(`allowed_${plain(tapName)}`);
  const chains = guests.map((port) =>
    chain(
      chainName(port),
      port.egress.networks.map((network) => `ip daddr ${ipv4Network(network)} accept`),
    ),
  );
  const elements = guests.map((port) => `${ipv4(port.address)} : jump ${chainName(port)}`);
  return [...chains, `  map allowed_by { type ipv4_addr : verdict;${elementsOf(elements)} }\n`];
}

function refusalCounters(ports: readonly GuardedPort[], kept: TableState): string[] {
  const counters = ports.map(({ tapName }) => {
    const name = counterNameOf(tapName);
    return `  counter ${name} { packets ${kept.refusals.get(name) ?? 0} bytes 0 }\n`;
  });
  const elements = ports.map(({ address, tapName }) => `${ipv4(address)} : "${counterNameOf(tapName)}"`);
  return [...counters, `  map refused_by { type ipv4_addr : counter;${elementsOf(elements)} }\n`];
}

function ingressChain({ tapName, macAddress: own, address }: GuardedPort): string {
  const mac = macAddress(own);
  return chain(`from_${plain(tapName)}`, [
    `type filter hook ingress device ${interfaceName(tapName)} priority filter; policy drop;`,
    `ether saddr ${mac} ip saddr ${ipv4(address)} accept`,
    // 0.0.0.0 asks whether an address is free (RFC 5227).
    `ether saddr ${mac} arp htype 1 arp ptype ip arp saddr ether ${mac} arp saddr ip { 0.0.0.0, ${ipv4(address)} } accept`,
  ]);
}

/** What guests that reach only some hosts ask a name server goes to the gate instead, which answers for some names. */
function redirectChain(bridgeName: string, gatePort: number): string {
  return chain('prerouting', [
    'type nat hook prerouting priority dstnat; policy accept;',
    `iifname ${bridgeName} ip saddr @gated_addresses ip daddr @name_servers meta l4proto { tcp, udp } th dport 53 redirect to :${gatePort}`,
  ]);
}

/** Services of the machine (or the namespace) the bridge is on: closed, a ping and replies aside. */
function inputChain(bridgeName: string, { throughPasta, gatePort }: FirewallOptions): string {
  return chain('input', [
    'type filter hook input priority filter; policy accept;',
    ...(throughPasta ? ['ct state invalid drop'] : []),
    `iifname != ${bridgeName} accept`,
    'ct state established,related accept',
    'icmp type echo-request accept',
    `ip saddr @gated_addresses ct status dnat meta l4proto { tcp, udp } th dport ${gatePort} accept`,
    // Guests send to everybody on their network all the time, and mean nobody by it.
    'meta pkttype host jump count_refusal',
    'drop',
  ]);
}

function forwardChains(bridgeName: string): string[] {
  const toPair = 'ip saddr . ip daddr';
  return [
    chain('count_refusal', [
      'counter name ip saddr map @refused_by',
      `limit rate ${TOLD_REFUSALS_PER_SECOND}/second meta nftrace set 1`,
    ]),
    // A refusal that is told at once: a guest must not hang in connect for two minutes.
    // No reset for connections: at some replacements of the tables single packets are refused that are allowed (seen on
    // Linux 6.18). An ICMP error a connection survives; a reset would end it.
    chain('refuse', ['jump count_refusal', 'reject with icmpx admin-prohibited']),
    chain('from_guests', [
      'meta nfproto != ipv4 drop',
      'ip saddr != @guest_addresses drop',
      // What conntrack makes nothing of would leave without masquerade.
      'ct state invalid drop',
      `oifname ${bridgeName} ${toPair} @peers accept`,
      `oifname ${bridgeName} goto refuse`,
      'ip saddr != @nat_addresses goto refuse',
      // Published by the host (a container's port, say): the host's own service under another address.
      'ct status dnat goto refuse',
      'ip saddr @open_addresses ip daddr @name_servers meta l4proto { tcp, udp } th dport 53 accept',
      'ip daddr 169.254.0.0/16 goto refuse',
      'ip daddr @refused_addresses goto refuse',
      'ip saddr @open_addresses accept',
      'ip saddr vmap @allowed_by',
      // Addresses in use stay; the others go when the time of their name is over.
      `ct state established ${toPair} @learned update @learned { ${toPair} timeout ${LEARNED_TIMEOUT_S}s } accept`,
      `${toPair} @learned accept`,
      'goto refuse',
    ]),
    chain('to_guests', ['ip daddr @nat_addresses ct state established,related accept', 'drop']),
    chain('forward', [
      'type filter hook forward priority filter; policy accept;',
      `iifname ${bridgeName} jump from_guests`,
      `oifname ${bridgeName} jump to_guests`,
    ]),
  ];
}

function chain(name: string, lines: readonly string[]): string {
  return `  chain ${identifier(name)} {\n${lines.map((line) => `    ${line}\n`).join('')}  }\n`;
}

function set(name: string, type: string, elements: readonly string[]): string {
  return `  set ${name} { type ${type}${elementsOf([...new Set(elements)])} }\n`;
}

function elementsOf(elements: readonly string[]): string {
  return elements.length === 0 ? '' : ` elements = { ${elements.join(', ')} };`;
}

// The values come from our own plans; checked all the same, since a wrong one would be read as rules.

function pairOf(guest: string, target: string): string {
  return `${ipv4(guest)} . ${ipv4(target)}`;
}

function ipv4Network(text: string): string {
  if (!parseCidr(text.includes('/') ? text : `${text}/32`)) {
    throw new AppError('INTERNAL', `"${text}" is not an IPv4 network.`);
  }
  return text;
}

/** Fit for a part of a name. */
function plain(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9]/g, '_');
}

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
