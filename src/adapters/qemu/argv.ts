/** From a machine's spec to QEMU's command line: machine `microvm`, every device on virtio-mmio. Pure. */
import { AGENT_PORT_NAME } from '../../contracts/agent.ts';
import type { Accelerator } from '../../contracts/vm.ts';
import type { MachineDrive, MachineSpec } from '../../core/vms/engine.ts';
import type { HostTsc } from './host-tsc.ts';
import { kernelArguments } from './kernel-args.ts';

export interface QemuHost {
  readonly qemuPath: string;
  readonly accelerator: Accelerator;
  /** The host's time stamp counter, where it is known; of use in software emulation only. */
  readonly tsc: HostTsc | undefined;
}

/** virtio-mmio has 24 slots with ACPI on; the network card, the entropy source and the agent's port take one each. */
export const MAX_DRIVES = 21;

/**
 * The VMM starts with its guest stopped (`-S`): the caller connects to the control socket and says `cont`.
 * ACPI stays on: Debian's kernels find their devices by it and by nothing else.
 */
export function qemuArgv(spec: MachineSpec, host: QemuHost): [string, ...string[]] {
  const options: readonly (readonly string[])[] = [
    ['-name', escapeOption(spec.id)],
    ['-machine', 'microvm,acpi=on'],
    host.accelerator === 'kvm' ? ['-accel', 'kvm', '-cpu', 'host'] : ['-accel', 'tcg,thread=multi', '-cpu', 'max'],
    ['-smp', String(spec.cpus)],
    ['-m', `${spec.memoryBytes}B`],
    ['-nodefaults', '-no-user-config', '-display', 'none'],
    // A guest that reboots ends its VMM: starting it again is our decision, with a fresh TAP and record.
    ['-no-reboot', '-S'],
    ['-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny'],
    ['-kernel', spec.kernelPath],
    spec.initrdPath === undefined ? [] : ['-initrd', spec.initrdPath],
    ['-append', kernelArguments(spec, host).join(' ')],
    ['-chardev', `file,id=console,path=${escapeOption(spec.consolePath)},append=off`],
    ['-serial', 'chardev:console'],
    ['-chardev', controlOption(spec.controlSocketPath)],
    ['-mon', 'chardev=control,mode=control'],
    ...spec.drives.map((drive) => driveOptions(drive, spec.limits.diskBytesPerSecond)),
    ['-netdev', `tap,id=nic0,ifname=${escapeOption(spec.nic.tapName)},script=no,downscript=no`],
    ['-device', `virtio-net-device,netdev=nic0,mac=${spec.nic.macAddress}`],
    ['-device', 'virtio-rng-device'],
    ['-chardev', agentOption(spec.agentSocketPath)],
    ['-device', 'virtio-serial-device,max_ports=2'],
    ['-device', `virtserialport,chardev=agent,name=${AGENT_PORT_NAME},id=agent,nr=1`],
    // Tells a panic from a reboot, once the guest has loaded its driver (pvpanic-mmio).
    ['-device', 'pvpanic'],
  ];
  return [host.qemuPath, ...options.flat()];
}

/** The control socket as it stands on the command line: what a VMM is known by when it is adopted. */
export function controlOption(controlSocketPath: string): string {
  return `socket,id=control,path=${escapeOption(controlSocketPath)},server=on,wait=off`;
}

/** The VMM listens; whoever connects speaks to the guest's agent, one at a time. */
function agentOption(agentSocketPath: string): string {
  return `socket,id=agent,path=${escapeOption(agentSocketPath)},server=on,wait=off`;
}

/**
 * `writeback` with a flush that is honoured: what the guest has synced is on the host's disk, all else is as fast as
 * the page cache. Blocks that the guest frees or fills with zeroes become holes again.
 */
function driveOptions(drive: MachineDrive, bytesPerSecond: number | undefined): string[] {
  const access = drive.readOnly ? 'on' : 'off';
  const limit = bytesPerSecond === undefined ? '' : `,throttling.bps-total=${bytesPerSecond}`;
  return [
    '-drive',
    `if=none,id=drive-${drive.id},file=${escapeOption(drive.path)},format=raw,readonly=${access},` +
      `cache=writeback,discard=unmap,detect-zeroes=unmap${limit}`,
    '-device',
    `virtio-blk-device,drive=drive-${drive.id},serial=${drive.id}`,
  ];
}

/** A comma ends a value in QEMU's option lists; doubled it is one. */
export function escapeOption(value: string): string {
  return value.replaceAll(',', ',,');
}
