/** Which loopback address stands for which guest on the host. Pure. */
import { LOOPBACK_NETWORK } from '../../contracts/forwarding.ts';
import { AppError } from '../app-error.ts';
import { planAddresses } from './address-plan.ts';
import { type Cidr, formatIpv4, networkOf, parseCidr, parseIpv4 } from '../../contracts/ipv4.ts';

/** What sets one instance apart from another. */
export interface LoopbackInstance {
  /** `[network] cidr`. */
  readonly cidr: string;
  /** `banger-` and eight hexadecimal digits of the instance's hash. */
  readonly namespaceName: string;
}

/** A /16 has room for so many. */
const CAPACITY = 2 ** 16;

/**
 * The address that stands for a guest on the host. It follows from the guest's own address alone, so it is the same for as
 * long as the VM exists, and no two VMs of an instance have the same. The instance's hash stirs the last 16 bits: two
 * instances with a dozen VMs each share an address once in some thousand cases.
 *
 * @returns undefined for an address outside of the guests' network, or beyond its first 65,536.
 */
export function loopbackAddressOf(guestAddress: string, instance: LoopbackInstance): string | undefined {
  const network = networkNumber(instance.cidr);
  const address = parseIpv4(guestAddress);
  if (address === undefined) throw new AppError('INTERNAL', `"${guestAddress}" is not an IPv4 address.`);
  const offset = address - network.first;
  if (offset < 0 || offset >= Math.min(network.size, CAPACITY)) return undefined;
  return formatIpv4(networkNumber(LOOPBACK_NETWORK).first + (offset ^ hashOf(instance)));
}

/** Where an instance answers for names: what stands for its gateway, which is no guest's. */
export function dnsAddressOf(instance: LoopbackInstance): string {
  const address = loopbackAddressOf(planAddresses(instance.cidr).gateway, instance);
  if (address === undefined) throw new AppError('INTERNAL', `The gateway of ${instance.cidr} is not in it.`);
  return address;
}

function networkNumber(cidr: string): { readonly first: number; readonly size: number } {
  const parsed: Cidr | undefined = parseCidr(cidr);
  if (!parsed) throw new AppError('INTERNAL', `"${cidr}" is not an IPv4 network.`);
  return { first: networkOf(parsed), size: 2 ** (32 - parsed.prefixLength) };
}

function hashOf({ namespaceName }: LoopbackInstance): number {
  const digits = /^banger-[0-9a-f]{4}([0-9a-f]{4})$/.exec(namespaceName)?.[1];
  if (digits === undefined) throw new AppError('INTERNAL', `"${namespaceName}" is no instance's namespace.`);
  return Number.parseInt(digits, 16);
}
