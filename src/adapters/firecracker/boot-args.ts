/** The kernel arguments that Firecracker's machine needs. Pure. */
import { POWER_OFF_BY_REBOOT } from '../../contracts/agent.ts';
import type { MachineSpec } from '../../core/vms/engine.ts';

/**
 * Engine's arguments first, then the machine's own: where one is given twice the kernel takes the last.
 *
 * Firecracker's own default is never used: it has `nomodule`, with which Debian's kernels find no disk, and switches the
 * serial port off. `root=` and `rw` are Firecracker's to add where it knows of a root drive, which it does where there is
 * no initrd; so is `pci=off`.
 */
export function bootArguments(spec: Pick<MachineSpec, 'drives' | 'kernelArgs' | 'initrdPath'>): string[] {
  const access = spec.drives[0]?.readOnly ? 'ro' : 'rw';
  return [
    'console=ttyS0',
    // The keyboard controller's reset is the one way in which an x86 guest can end its VMM.
    'reboot=k',
    POWER_OFF_BY_REBOOT,
    // A panic resets after a second, with its last words on the console.
    'panic=1',
    // Tens of milliseconds of probing less; the keyboard stays, for Ctrl-Alt-Del.
    'i8042.noaux',
    'i8042.nomux',
    'i8042.dumbkbd',
    // Without it a guest waits for randomness at its boot where its processor has plenty.
    'random.trust_cpu=on',
    // The boot watchdog reads the stamps; they show whether the guest's clock moves.
    'printk.time=1',
    'rootfstype=ext4',
    // The first network card is `eth0` in every guest.
    'net.ifnames=0',
    ...(spec.initrdPath === undefined ? [] : ['root=/dev/vda', access]),
    ...spec.kernelArgs,
  ];
}
