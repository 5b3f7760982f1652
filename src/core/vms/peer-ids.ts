import { AppError } from '../app-error.ts';
import type { VmDirectory } from './vm-directory.ts';

/**
 * The ids of the VMs that another shall talk to.
 *
 * @param own the other's name.
 * @throws AppError VM_NOT_FOUND; REQUEST_INVALID where it is named itself.
 */
export function peerIdsOf(
  directory: Pick<VmDirectory, 'record'>,
  names: readonly string[],
  own: string | undefined,
): readonly string[] {
  return names.map((name) => {
    if (name !== own) return directory.record(name).id;
    throw new AppError('REQUEST_INVALID', `"${name}" cannot be its own peer.`, {
      hint: 'Name another VM: each of the two reaches the other then.',
      details: { name },
    });
  });
}
