import type { MachineIdentity } from '../../core/vms/engine.ts';
import { removeJail } from './jail.ts';
import { removeSockets } from './machine-files.ts';

/** Takes away what a VMM that is gone has left outside the machine's folder: its sockets, its jail, its cgroup. */
export async function removeMachine(
  identity: Pick<MachineIdentity, 'controlSocketPath' | 'agentSocketPath' | 'jailDir'>,
): Promise<void> {
  await removeSockets(identity);
  if (identity.jailDir !== undefined) await removeJail(identity.jailDir);
}
