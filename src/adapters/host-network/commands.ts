/** Text for `ip -batch -` and `bridge -batch -`. Pure. */
import { macAddressOf } from '../../core/networks/address-plan.ts';
import type { BridgePlan, NetworkPort } from '../../core/networks/ports.ts';

/** The bridge's own MAC: fixed, or it would follow whichever TAP has the lowest, and guests would lose their gateway. */
export function bridgeMacAddress(plan: BridgePlan): string {
  return macAddressOf(plan.gateway);
}

/** No spanning tree and no forward delay: a port passes frames the moment it is up. */
export function createBridgeBatch(plan: BridgePlan): string {
  const { bridgeName } = plan;
  return batch([
    `link add name ${bridgeName} address ${bridgeMacAddress(plan)} type bridge stp_state 0 forward_delay 0`,
    `addr add ${plan.gateway}/${plan.prefixLength} broadcast + dev ${bridgeName}`,
    `link set dev ${bridgeName} up`,
  ]);
}

/** What is left to do where the bridge exists; changes nothing where all is done. */
export function completeBridgeBatch(plan: BridgePlan): string {
  return batch([
    `addr replace ${plan.gateway}/${plan.prefixLength} broadcast + dev ${plan.bridgeName}`,
    `link set dev ${plan.bridgeName} up`,
  ]);
}

/** Without vnet_hdr and multi_queue: the VMM switches on what it uses when it opens the TAP. */
export function createTapArgv(tapName: string): [string, ...string[]] {
  return ['ip', 'tuntap', 'add', 'dev', tapName, 'mode', 'tap'];
}

/** Fails where the TAP is held by a VMM. */
export function deleteFreeTapArgv(tapName: string): [string, ...string[]] {
  return ['ip', 'tuntap', 'del', 'dev', tapName, 'mode', 'tap'];
}

/**
 * Joins an interface to the bridge as a guest's port. Isolated: it talks to the bridge's own address and to no other
 * port. Nothing is learnt from the guest: its MAC is told (`portAddressBatch`), and so is its neighbour entry here,
 * so a guest cannot draw another's frames to itself, whatever it sends as ARP.
 */
export function joinBridgeBatch(port: NetworkPort, bridgeName: string): string {
  const { tapName, address, macAddress } = port;
  return batch([
    `link set dev ${tapName} master ${bridgeName}`,
    `link set dev ${tapName} type bridge_slave isolated on learning off flood off`,
    `neigh replace ${address} lladdr ${macAddress} nud permanent dev ${bridgeName}`,
    `link set dev ${tapName} up`,
  ]);
}

/** For `bridge -batch -`: the one MAC behind this port. */
export function portAddressBatch(port: NetworkPort): string {
  return batch([`fdb replace ${port.macAddress} dev ${port.tapName} master static`]);
}

function batch(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`;
}
