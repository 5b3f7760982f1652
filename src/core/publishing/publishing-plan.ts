/** Which of a guest's ports appear on the host, and where. Pure. */
import type { AgentPorts, ListeningPort } from '../../contracts/agent-messages.ts';
import { DNS_ZONE, type Forward, type ForwardedName, type ForwardingOrder } from '../../contracts/forwarding.ts';
import type { Vm } from '../../contracts/vm.ts';
import type { PortRefusal } from '../../contracts/vm-ports.ts';
import { dnsAddressOf, loopbackAddressOf, type LoopbackInstance } from '../networks/loopback-plan.ts';

/** Of one VM, lowest first: a guest that opens thousands does not have the host open thousands. */
const MAX_PUBLISHED_PORTS = 128;

export interface PublishingFacts extends LoopbackInstance {
  /** In mode `host` guests are reached by their own address, and only named. */
  readonly mode: 'isolated' | 'host';
}

type KnownVm = Pick<Vm, 'id' | 'name' | 'address'>;

/** `calm-otter.vm`. */
export function hostNameOf(vmName: string): string {
  return `${vmName}.${DNS_ZONE}`;
}

/** Where the host reaches a guest; undefined where its address is outside of the guests' network. */
export function hostAddressOf(guestAddress: string, facts: PublishingFacts): string | undefined {
  return facts.mode === 'host' ? guestAddress : loopbackAddressOf(guestAddress, facts);
}

/**
 * Whether a guest's port can be reached from outside the guest at all. The daemon connects to the guest's address, so what
 * listens on the guest's own loopback, or on a bridge inside it, cannot.
 *
 * @returns why not; undefined where it can.
 */
export function refusalOf({ protocol, address }: ListeningPort, guestAddress: string): PortRefusal | undefined {
  if (protocol !== 'tcp') return 'not-tcp';
  const plain = address.replace(/^::ffff:/i, '');
  if (['0.0.0.0', '::', guestAddress].includes(plain)) return undefined;
  return plain.startsWith('127.') || plain === '::1' ? 'guest-loopback' : 'other-address';
}

/** Numbers of the ports that are published, each once. */
export function portsToPublish({ listening }: AgentPorts, guestAddress: string): readonly number[] {
  const reachable = listening.filter((port) => refusalOf(port, guestAddress) === undefined);
  return [...new Set(reachable.map(({ port }) => port))].toSorted((a, b) => a - b).slice(0, MAX_PUBLISHED_PORTS);
}

/**
 * Everything that shall be on the host. Names are those of all VMs, running or not: an address belongs to a VM as long as it
 * exists, and whoever asks too early does not learn for a while that there is no such name.
 *
 * @param listening what listens in the VMs that run, by id.
 */
export function planForwarding(
  vms: readonly KnownVm[],
  listening: ReadonlyMap<string, AgentPorts>,
  facts: PublishingFacts,
): Omit<ForwardingOrder, 'revision'> {
  const names: ForwardedName[] = [];
  const forwards: Forward[] = [];
  for (const { id, name, address: guestAddress } of vms) {
    const address = hostAddressOf(guestAddress, facts);
    if (address === undefined) continue;
    names.push({ name, address });
    const heard = facts.mode === 'host' ? undefined : listening.get(id);
    const ports = heard ? portsToPublish(heard, guestAddress) : [];
    if (ports.length > 0) forwards.push({ vmName: name, address, ports });
  }
  return { version: 1, dnsAddress: dnsAddressOf(facts), names, forwards };
}
