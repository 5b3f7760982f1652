/** The kernel arguments that the engine itself needs. Pure. */
import type { Accelerator } from '../../contracts/vm.ts';
import type { MachineSpec } from '../../core/vms/engine.ts';
import type { HostTsc } from './host-tsc.ts';

/** Engine's arguments first, then the machine's own: where one is given twice the kernel takes the last. */
export function kernelArguments(
  spec: Pick<MachineSpec, 'drives' | 'kernelArgs'>,
  host: { readonly accelerator: Accelerator; readonly tsc: HostTsc | undefined },
): string[] {
  return [
    'console=ttyS0',
    'root=/dev/vda',
    spec.drives[0]?.readOnly ? 'ro' : 'rw',
    'rootfstype=ext4',
    // The first network card is `eth0` in every guest.
    'net.ifnames=0',
    // A panic ends the VMM after a second, with its last words on the console.
    'panic=1',
    // The boot watchdog reads the stamps; they show whether the guest's clock moves.
    'printk.time=1',
    // Without it the setup code greets the console before the kernel proper runs.
    'edd=off',
    ...(host.accelerator === 'tcg' && host.tsc ? clockArguments(host.tsc) : []),
    ...spec.kernelArgs,
  ];
}

/**
 * In software emulation the guest reads the host's counter; told its speed, it has nothing to measure. Told to trust
 * it, a guest of several processors keeps time by it; left alone it counts timer ticks, loses a seventh of them under
 * load, and wakes 250 times a second with nothing to do. Where the host does not trust its counter, neither may a guest.
 */
function clockArguments(tsc: HostTsc): string[] {
  return [`tsc_early_khz=${tsc.khz}`, `tsc=${tsc.trusted ? 'reliable' : 'unstable'}`];
}
