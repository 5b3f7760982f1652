import type { ExecRequest } from '../../contracts/exec-stream.ts';
import { AppError } from '../app-error.ts';
import type { GuestConnections } from './guest-connections.ts';
import type { GuestProgram, GuestProgramSpec } from './guest-program.ts';
import type { LiveMachines } from './live-machines.ts';
import type { MachineRunner } from './machine-runner.ts';
import type { VmRecord } from './repository.ts';
import type { VmDirectory } from './vm-directory.ts';

export interface ExecServiceDependencies {
  readonly directory: VmDirectory;
  readonly live: LiveMachines;
  readonly runner: Pick<MachineRunner, 'dial'>;
  readonly connections: GuestConnections;
}

/** A guest that runs, and in which commands can be run. */
export interface ReachedGuest {
  readonly open: (request: ExecRequest, signal: AbortSignal) => Promise<GuestProgram>;
  /** Aborted when its VMM is gone. */
  readonly ended: AbortSignal;
  /** Why a command of it was lost, as far as anybody knows now. */
  readonly whyLost: () => AppError;
}

/** A workspace may have been removed in the guest, and is in root's home, where others have no business. */
function folderOf({ workdir, user }: ExecRequest, workspace: VmRecord['workspace']): GuestProgramSpec['workdir'] {
  if (workdir !== undefined) return { path: workdir, required: true };
  return workspace && user === undefined ? { path: workspace.guestPath, required: false } : undefined;
}

/** Commands that are run in guests for clients. */
export class ExecService {
  readonly #deps: ExecServiceDependencies;

  constructor(deps: ExecServiceDependencies) {
    this.#deps = deps;
  }

  /** @throws AppError VM_NOT_FOUND, VM_STATE_INVALID. */
  reach(name: string): ReachedGuest {
    const { directory, live, runner, connections } = this.#deps;
    const record = directory.record(name);
    directory.allow('ssh', record);
    const machine = live.get(record.id);
    if (!machine) throw new AppError('INTERNAL', `VM "${name}" runs and has no VMM.`);
    const { ended } = machine;
    const guest = {
      vmId: record.id,
      ended,
      connect: (signal: AbortSignal) => runner.dial(record, machine.machine, signal),
    };
    return {
      ended,
      open: (request, signal) => {
        const workdir = folderOf(request, record.workspace);
        return connections.open(guest, { ...request, workdir }, signal);
      },
      whyLost: () => this.#whyLost(record.name, ended),
    };
  }

  #whyLost(name: string, ended: AbortSignal): AppError {
    const state = this.#deps.directory.list().find((vm) => vm.name === name)?.state;
    const words =
      state === 'running' && !ended.aborted
        ? 'The connection to the guest was lost while the command ran.'
        : `VM "${name}" ended while the command ran: it is ${state ?? 'deleted'} now.`;
    return new AppError('GUEST_UNREACHABLE', words, {
      hint: state === undefined ? 'Create another: banger vm create' : `\`banger vm show ${name}\` tells its state.`,
    });
  }
}
