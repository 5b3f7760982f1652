import type { PortRefusal, VmPort, VmPorts } from '../contracts/vm-ports.ts';
import type { Column } from './table.ts';

export const PORT_COLUMNS: readonly Column[] = [
  { title: 'VM', least: 14 },
  { title: 'PROTOCOL', leaveOut: 2 },
  { title: 'ADDRESS', leaveOut: 1 },
  { title: 'PORT', align: 'right' },
  { title: 'PROCESS', least: 8 },
  { title: 'ON THE HOST', least: 24 },
];

const REFUSALS: Readonly<Record<PortRefusal, string>> = {
  'not-tcp': 'no: only TCP is published',
  'guest-loopback': 'no: it listens on the guest’s own loopback',
  'other-address': 'no: it listens on another address inside the guest',
  'too-many-ports': 'no: the VM has more ports than are published',
  'no-address': 'no: the VM’s address is outside of [network] cidr',
  'switched-off': 'no: [network] publish_ports is off',
  'forwarder-gone': 'no: the forwarder has crashed; `banger daemon stop`, and the next command starts it',
  'not-yet': 'not yet',
  'address-in-use': 'no: address in use on the host',
  'not-permitted': 'no: not permitted on the host',
  'too-many': 'no: too many are open on the host',
  failed: 'no: it could not be opened on the host',
};

/** Rows for `PORT_COLUMNS`. */
export function portRows(vm: VmPorts): readonly (readonly string[])[] {
  return vm.ports.map((port) => [
    vm.vmName,
    port.protocol,
    port.address,
    String(port.port),
    port.process ?? '',
    onTheHost(vm, port),
  ]);
}

function onTheHost({ hostName }: VmPorts, { refusal, link, port }: VmPort): string {
  if (refusal !== undefined) return REFUSALS[refusal];
  return link ?? `${hostName}:${port}`;
}
