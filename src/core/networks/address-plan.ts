/** Who has which address in banger's network. Pure. */
import { AppError } from '../app-error.ts';
import { type Cidr, formatIpv4, maskOf, networkOf, overlaps, parseCidr, parseIpv4 } from '../../contracts/ipv4.ts';
import type { BridgePlan } from './ports.ts';

export interface AddressPlan {
  /** `10.77.0.0/20`. */
  readonly cidr: string;
  readonly network: string;
  /** The first host address: the bridge's own. */
  readonly gateway: string;
  readonly broadcast: string;
  readonly prefixLength: number;
  /** `255.255.240.0`. */
  readonly netmask: string;
  /** How many guests have room. */
  readonly capacity: number;
}

/** A /30 is gateway and one guest. */
const LONGEST_PREFIX = 30;

/** Networks that no host can route guests in. */
const UNUSABLE: readonly { readonly cidr: string; readonly what: string }[] = [
  { cidr: '0.0.0.0/8', what: '"this" network (RFC 791)' },
  { cidr: '127.0.0.0/8', what: 'loopback (RFC 1122)' },
  { cidr: '169.254.0.0/16', what: 'link-local (RFC 3927), where metadata services live' },
  { cidr: '224.0.0.0/3', what: 'multicast and reserved (RFC 1112)' },
];

/**
 * Reads `[network] cidr`. Whether the network is free for private use is the user's affair.
 *
 * @throws AppError CONFIG_INVALID where it is no network, has host bits set, is smaller than a /30, or can never be used.
 */
export function planAddresses(cidr: string): AddressPlan {
  const parsed = readCidr(cidr);
  const network = networkOf(parsed);
  const size = 2 ** (32 - parsed.prefixLength);
  return {
    cidr,
    network: formatIpv4(network),
    gateway: formatIpv4(network + 1),
    broadcast: formatIpv4(network + size - 1),
    prefixLength: parsed.prefixLength,
    netmask: formatIpv4(maskOf(parsed.prefixLength)),
    capacity: size - 3,
  };
}

export function planBridge(addresses: AddressPlan, bridgeName: string): BridgePlan {
  const { gateway, prefixLength, cidr } = addresses;
  return { bridgeName, gateway, prefixLength, cidr };
}

function readCidr(cidr: string): Cidr {
  const parsed = parseCidr(cidr);
  if (!parsed) {
    throw invalid(cidr, 'is not an IPv4 network', 'Write [network] cidr as 10.77.0.0/20.');
  }
  if (parsed.prefixLength > LONGEST_PREFIX) {
    throw invalid(
      cidr,
      'has no room for a guest',
      `Give [network] cidr a prefix of ${LONGEST_PREFIX} or shorter, such as /20.`,
    );
  }
  const network = networkOf(parsed);
  if (network !== parsed.address) {
    const meant = `${formatIpv4(network)}/${parsed.prefixLength}`;
    throw invalid(cidr, 'has host bits set', `Write [network] cidr as ${meant}, if that is the network you mean.`);
  }
  const unusable = UNUSABLE.find((entry) => cidrsOverlap(entry.cidr, cidr));
  if (unusable) {
    throw invalid(
      cidr,
      `overlaps ${unusable.cidr}, which is ${unusable.what}`,
      'Choose a private network for [network] cidr, such as 10.77.0.0/20.',
    );
  }
  return parsed;
}

function invalid(cidr: string, what: string, hint: string): AppError {
  return new AppError('CONFIG_INVALID', `[network] cidr "${cidr}" ${what}.`, { hint, details: { cidr } });
}

/**
 * The lowest address no guest has: never the network's own, the gateway's or the broadcast address.
 *
 * @param taken addresses in use; those outside the network do no harm.
 * @throws AppError ADDRESSES_EXHAUSTED; CONFIG_INVALID as `planAddresses`.
 */
export function lowestFreeAddress(cidr: string, taken: ReadonlySet<string>): string {
  const plan = planAddresses(cidr);
  const first = numberOf(plan.gateway) + 1;
  for (let address = first; address < first + plan.capacity; address += 1) {
    const text = formatIpv4(address);
    if (!taken.has(text)) return text;
  }
  throw new AppError('ADDRESSES_EXHAUSTED', `All ${plan.capacity} addresses for guests in ${cidr} are taken.`, {
    details: { cidr, capacity: plan.capacity },
  });
}

/** `02:62` (locally administered, unicast) and the address: as unique as the address is. */
export function macAddressOf(address: string): string {
  const bytes = formatIpv4(numberOf(address)).split('.');
  return ['02', '62', ...bytes.map((byte) => Number(byte).toString(16).padStart(2, '0'))].join(':');
}

/**
 * The name of a VM's TAP: 15 bytes, the longest an interface can have.
 *
 * @param vmId `vm-` and 10 hexadecimal digits.
 */
export function tapNameOf(vmId: string): string {
  const digits = /^vm-([0-9a-f]{10})$/.exec(vmId)?.[1];
  if (digits === undefined) throw new AppError('INTERNAL', `"${vmId}" is not a VM's id.`);
  return `bngr-${digits}`;
}

/** True where two networks, as `ADDRESS/LENGTH`, share an address. */
export function cidrsOverlap(one: string, other: string): boolean {
  const first = parseCidr(one);
  const second = parseCidr(other);
  if (!first || !second) throw new AppError('INTERNAL', `Not two IPv4 networks: "${one}", "${other}".`);
  return overlaps(first, second);
}

function numberOf(address: string): number {
  const value = parseIpv4(address);
  if (value === undefined) throw new AppError('INTERNAL', `"${address}" is not an IPv4 address.`);
  return value;
}
