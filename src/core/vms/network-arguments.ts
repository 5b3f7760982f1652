import type { BridgePlan } from '../networks/ports.ts';

export interface GuestNetwork {
  readonly address: string;
  readonly hostname: string;
  readonly nameServers: readonly string[];
}

/**
 * Kernel arguments that give a guest its address, in the kernel's own form
 * `ip=CLIENT:SERVER:GATEWAY:NETMASK:HOSTNAME:DEVICE:AUTOCONF:DNS0:DNS1` (Documentation/admin-guide/nfs/nfsroot.rst).
 * Kernels without CONFIG_IP_PNP ignore it; the guest's network script reads it either way.
 */
export function networkArguments(guest: GuestNetwork, bridge: BridgePlan): string[] {
  const [dns0 = '', dns1 = ''] = guest.nameServers;
  const fields = [
    guest.address,
    '',
    bridge.gateway,
    netmask(bridge.prefixLength),
    guest.hostname,
    'eth0',
    'off',
    dns0,
    dns1,
  ];
  return [`ip=${fields.join(':').replace(/:+$/, '')}`];
}

/** `255.255.240.0` for 20. */
export function netmask(prefixLength: number): string {
  const bits = prefixLength === 0 ? 0 : (0xffffffff << (32 - prefixLength)) >>> 0;
  return [24, 16, 8, 0].map((shift) => (bits >>> shift) & 0xff).join('.');
}
