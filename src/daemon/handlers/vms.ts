import { type Duplex, duplexPair } from 'node:stream';
import type { ExecService } from '../../core/vms/exec-service.ts';
import type { VmChanges } from '../../core/vms/vm-changes.ts';
import type { VmObservation } from '../../core/vms/vm-observation.ts';
import type { LeaseService } from '../../core/vms/lease-service.ts';
import type { VmService } from '../../core/vms/vm-service.ts';
import { execTunnel } from '../exec-tunnel.ts';
import type { Handlers } from '../route-handlers.ts';

type VmRoute =
  | 'vmList'
  | 'vmCreate'
  | 'vmShow'
  | 'vmStart'
  | 'vmStop'
  | 'vmRestart'
  | 'vmKill'
  | 'vmSet'
  | 'vmRename'
  | 'vmPrune'
  | 'vmStats'
  | 'vmDelete'
  | 'vmSshAccess'
  | 'vmTunnel'
  | 'vmLease'
  | 'vmExec';

/** Opens a TCP connection to a guest. @throws AppError GUEST_UNREACHABLE. */
export type Dial = (address: string, port: number, signal: AbortSignal) => Promise<Duplex>;

export interface VmServices {
  readonly vms: VmService;
  readonly changes: VmChanges;
  readonly observation: VmObservation;
  readonly exec: ExecService;
  readonly leases: LeaseService;
}

export function vmHandlers(
  { vms, changes, observation, exec, leases }: VmServices,
  dial: Dial,
): Pick<Handlers, VmRoute> {
  return {
    vmList: () => [...vms.list()],
    vmCreate: ({ body }) => leases.create(body),
    vmShow: ({ params }) => observation.show(params.name),
    vmStart: ({ params }) => vms.start(params.name),
    vmStop: ({ params }) => vms.stop(params.name),
    vmRestart: ({ params }) => vms.restart(params.name),
    vmKill: ({ params, body }) => vms.kill(params.name, body.signal),
    vmSet: ({ params, body }) => changes.set(params.name, body),
    vmRename: ({ params, body }) => changes.rename(params.name, body.name),
    vmPrune: () => changes.prune(),
    vmStats: ({ params }) => observation.stats(params.name),
    vmDelete: ({ params }) => vms.delete(params.name),
    vmSshAccess: ({ params }) => vms.sshAccess(params.name),
    vmTunnel: async ({ params }, { signal }) => {
      const { address, ended } = vms.reach(params.name);
      return closedBy(ended, await dial(address, params.port, signal));
    },
    vmLease: ({ params }) => leaseTunnel(leases.hold(params.name)),
    vmExec: ({ params }) => execTunnel(exec.reach(params.name)),
  };
}

/** A connection that carries nothing: a lease is held for as long as it is open. */
function leaseTunnel(release: () => void): Duplex {
  const [outer, inner] = duplexPair();
  inner.on('error', () => undefined);
  inner.resume();
  for (const event of ['end', 'close'] as const) {
    inner.once(event, () => {
      release();
      inner.end();
    });
  }
  return outer;
}

/** A connection that breaks when the VMM at its other end is gone. */
function closedBy(ended: AbortSignal, connection: Duplex): Duplex {
  const close = (): void => void connection.destroy();
  ended.addEventListener('abort', close, { once: true });
  connection.once('close', () => ended.removeEventListener('abort', close));
  if (ended.aborted) close();
  return connection;
}
