/** The machine that `machine.sh` starts: the one banger started, told in the script's own words. */
import { join } from 'node:path';
import { readHostTsc } from '../../src/adapters/qemu/host-tsc.ts';
import type { SshAccess, Vm } from '../../src/contracts/vm.ts';
import type { AddressPlan } from '../../src/core/networks/address-plan.ts';
import type { HandNetwork } from './namespace.ts';

export const MACHINE_SCRIPT = join(import.meta.dirname, 'machine.sh');

export interface HandMachine {
  readonly vm: Pick<Vm, 'accelerator' | 'cpus' | 'memoryBytes' | 'macAddress' | 'address'>;
  readonly boot: { readonly kernelPath: string; readonly initrdPath?: string | undefined };
  readonly access: Pick<SshAccess, 'identityPath' | 'knownHostsPath' | 'hostKeyAlias'>;
  readonly network: Pick<HandNetwork, 'tapName'>;
  readonly hostname: string;
  readonly addresses: Pick<AddressPlan, 'gateway' | 'netmask'>;
  readonly consolePath: string;
}

/** Its inputs as `machine.sh` reads them. */
export async function machineEnvironment(machine: HandMachine): Promise<Record<string, string>> {
  const { vm, boot, access, network } = machine;
  return {
    BENCH_ACCELERATOR: vm.accelerator ?? 'tcg',
    BENCH_CPUS: String(vm.cpus),
    BENCH_MEMORY: `${vm.memoryBytes}B`,
    BENCH_KERNEL: boot.kernelPath,
    BENCH_INITRD: boot.initrdPath ?? '',
    BENCH_APPEND: (await kernelArguments(machine)).join(' '),
    BENCH_CONSOLE: machine.consolePath,
    BENCH_TAP: network.tapName,
    BENCH_MAC: vm.macAddress,
    BENCH_ADDRESS: vm.address,
    BENCH_IDENTITY: access.identityPath,
    BENCH_KNOWN_HOSTS: access.knownHostsPath,
    BENCH_KEY_ALIAS: access.hostKeyAlias,
    BENCH_NODE: process.execPath,
  };
}

async function kernelArguments({ vm, hostname, addresses }: HandMachine): Promise<string[]> {
  const tsc = vm.accelerator === 'kvm' ? undefined : await readHostTsc();
  return [
    'console=ttyS0',
    'root=/dev/vda',
    'rw',
    'rootfstype=ext4',
    'net.ifnames=0',
    'panic=1',
    'edd=off',
    // Who starts such guests by hand has learnt this too: without it many hang in their first instant.
    ...(tsc ? [`tsc_early_khz=${tsc.khz}`, `tsc=${tsc.trusted ? 'reliable' : 'unstable'}`] : []),
    `ip=${vm.address}::${addresses.gateway}:${addresses.netmask}:${hostname}:eth0:off`,
  ];
}
