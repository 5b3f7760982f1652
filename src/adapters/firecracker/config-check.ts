/** Whether a machine is as it was asked for: a request that is answered with 204 may still have done nothing. Pure. */
import type { MachineSpec } from '../../core/vms/engine.ts';
import { asRecord } from './api-message.ts';
import { memoryMib } from './machine-config.ts';
import type { MachinePlaces } from './places.ts';

/**
 * @param config answer to `GET /vm/config`.
 * @returns what is not as it should be, in words; undefined where all that is looked at is.
 */
export function configFault(config: unknown, spec: MachineSpec, places: MachinePlaces): string | undefined {
  const found = asRecord(config);
  const wanted: readonly (readonly [what: string, is: unknown, shouldBe: unknown])[] = [
    ['processors', asRecord(found['machine-config'])['vcpu_count'], spec.cpus],
    ['memory', asRecord(found['machine-config'])['mem_size_mib'], memoryMib(spec.memoryBytes)],
    ['kernel', asRecord(found['boot-source'])['kernel_image_path'], places.kernel],
    ['drives', pathsOf(found['drives']), places.drives.join(' ')],
    ['network card', namesOf(found['network-interfaces']), spec.nic.tapName],
    ['vsock', asRecord(found['vsock'])['uds_path'], places.vsock],
  ];
  const wrong = wanted.find(([, is, shouldBe]) => is !== shouldBe);
  return wrong && `${wrong[0]}: ${String(wrong[1])} instead of ${String(wrong[2])}`;
}

/** Their order is the guest's, and it is the root drive that Firecracker puts first. */
function pathsOf(drives: unknown): string {
  return (Array.isArray(drives) ? drives : []).map((drive) => String(asRecord(drive)['path_on_host'])).join(' ');
}

function namesOf(cards: unknown): string {
  return (Array.isArray(cards) ? cards : []).map((card) => String(asRecord(card)['host_dev_name'])).join(' ');
}
