/** Which verb a VM takes in which state: pure, and the one place that says so. */
import type { Vm, VmState } from '../../contracts/vm.ts';
import { AppError } from '../app-error.ts';

export type VmVerb = 'start' | 'stop' | 'restart' | 'kill' | 'set' | 'rename' | 'delete' | 'ssh';

/** `ok`: act. `nothing`: it is so already. `busy`: another operation has it. `refused`: the state forbids it. */
type Answer = 'ok' | 'nothing' | 'busy' | 'refused';

/** Of verbs that do something to a VM whether it runs or not. */
const WHENEVER_IDLE: Readonly<Record<VmState, Answer>> = {
  creating: 'busy',
  stopped: 'ok',
  starting: 'busy',
  running: 'ok',
  stopping: 'busy',
  deleting: 'busy',
  failed: 'ok',
};

const ANSWERS: Readonly<Record<VmVerb, Readonly<Record<VmState, Answer>>>> = {
  start: {
    creating: 'busy',
    stopped: 'ok',
    starting: 'busy',
    running: 'nothing',
    stopping: 'busy',
    deleting: 'busy',
    failed: 'ok',
  },
  stop: {
    creating: 'busy',
    stopped: 'nothing',
    starting: 'busy',
    running: 'ok',
    stopping: 'busy',
    deleting: 'busy',
    failed: 'nothing',
  },
  restart: WHENEVER_IDLE,
  // The verb for what hangs: it ends a start or a stop that is under way.
  kill: {
    creating: 'busy',
    stopped: 'nothing',
    starting: 'ok',
    running: 'ok',
    stopping: 'ok',
    deleting: 'busy',
    failed: 'nothing',
  },
  set: WHENEVER_IDLE,
  rename: WHENEVER_IDLE,
  delete: WHENEVER_IDLE,
  ssh: {
    creating: 'refused',
    stopped: 'refused',
    starting: 'refused',
    running: 'ok',
    stopping: 'refused',
    deleting: 'refused',
    failed: 'refused',
  },
};

/** True where the verb ends what another operation does to the VM, instead of waiting for its turn. */
export function interrupts(verb: VmVerb, state: VmState): boolean {
  return verb === 'kill' && (state === 'starting' || state === 'stopping');
}

/**
 * @returns false where the VM is already as the verb would leave it.
 * @throws AppError VM_BUSY, VM_STATE_INVALID.
 */
export function allowVerb(verb: VmVerb, vm: Pick<Vm, 'name' | 'state' | 'stateReason'>): boolean {
  const answer = ANSWERS[verb][vm.state];
  switch (answer) {
    case 'ok':
      return true;
    case 'nothing':
      return false;
    case 'busy':
      throw busy(verb, vm);
    case 'refused':
      throw new AppError('VM_STATE_INVALID', `VM "${vm.name}" is not running: it ${stateInWords(vm)}.`, {
        hint: sshHint(vm),
      });
  }
}

function stateInWords({ state, stateReason }: Pick<Vm, 'state' | 'stateReason'>): string {
  if (state === 'deleting') return 'is being deleted';
  if (state === 'creating') return 'is being created';
  if (state !== 'failed') return `is ${state}`;
  return stateReason === undefined ? 'has failed' : `has failed (${stateReason})`;
}

function sshHint({ name, state }: Pick<Vm, 'name' | 'state'>): string {
  switch (state) {
    case 'stopped':
    case 'failed':
      return `Start it: banger vm start ${name}`;
    case 'stopping':
      return `Start it once it has stopped: banger vm start ${name}`;
    case 'deleting':
      return 'Create another: banger vm create';
    case 'creating':
    case 'starting':
    case 'running':
      return 'Wait until it runs.';
  }
}

/** Another operation has the VM. */
export function busy(verb: VmVerb, { name, state }: Pick<Vm, 'name' | 'state'>): AppError {
  const doing = state === 'running' || state === 'stopped' || state === 'failed' ? 'being changed' : state;
  return new AppError('VM_BUSY', `VM "${name}" is ${doing}; it cannot be asked to ${verb} now.`);
}
