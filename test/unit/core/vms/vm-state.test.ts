import { describe, expect, test } from 'vitest';
import { VM_STATES, type VmState } from '../../../../src/contracts/vm.ts';
import { allowVerb, type VmVerb } from '../../../../src/core/vms/vm-state.ts';

type Expected = boolean | 'VM_BUSY' | 'VM_STATE_INVALID';

const WHENEVER_IDLE: Record<VmState, Expected> = {
  creating: 'VM_BUSY',
  stopped: true,
  starting: 'VM_BUSY',
  running: true,
  stopping: 'VM_BUSY',
  deleting: 'VM_BUSY',
  failed: true,
};

const TABLE: Record<VmVerb, Record<VmState, Expected>> = {
  start: {
    creating: 'VM_BUSY',
    stopped: true,
    starting: 'VM_BUSY',
    running: false,
    stopping: 'VM_BUSY',
    deleting: 'VM_BUSY',
    failed: true,
  },
  stop: {
    creating: 'VM_BUSY',
    stopped: false,
    starting: 'VM_BUSY',
    running: true,
    stopping: 'VM_BUSY',
    deleting: 'VM_BUSY',
    failed: false,
  },
  restart: WHENEVER_IDLE,
  kill: {
    creating: 'VM_BUSY',
    stopped: false,
    starting: true,
    running: true,
    stopping: true,
    deleting: 'VM_BUSY',
    failed: false,
  },
  set: WHENEVER_IDLE,
  rename: WHENEVER_IDLE,
  delete: WHENEVER_IDLE,
  ssh: {
    creating: 'VM_STATE_INVALID',
    stopped: 'VM_STATE_INVALID',
    starting: 'VM_STATE_INVALID',
    running: true,
    stopping: 'VM_STATE_INVALID',
    deleting: 'VM_STATE_INVALID',
    failed: 'VM_STATE_INVALID',
  },
};

const CASES = (Object.keys(TABLE) as VmVerb[]).flatMap((verb) =>
  VM_STATES.map((state) => ({ verb, state, expected: TABLE[verb][state] })),
);

describe('every verb on every state', () => {
  test.each(CASES)('$verb on a VM that is $state gives $expected', ({ verb, state, expected }) => {
    const ask = (): boolean => allowVerb(verb, { name: 'calm-otter', state });
    if (typeof expected === 'boolean') expect(ask()).toBe(expected);
    else expect(ask).toThrow(expect.objectContaining({ code: expected }));
  });

  test.each([
    [{ state: 'stopped' as const }, 'is stopped', 'Start it: banger vm start box'],
    [{ state: 'failed' as const }, 'has failed', 'Start it: banger vm start box'],
    [
      { state: 'failed' as const, stateReason: 'crashed: SIGSEGV' },
      'has failed (crashed: SIGSEGV)',
      'Start it: banger vm start box',
    ],
    [{ state: 'stopping' as const }, 'is stopping', 'Start it once it has stopped: banger vm start box'],
    [{ state: 'deleting' as const }, 'is being deleted', 'Create another: banger vm create'],
    [{ state: 'starting' as const }, 'is starting', 'Wait until it runs.'],
  ])('a VM that cannot be entered says why, and what to do: %j', (vm, why, hint) => {
    expect(() => allowVerb('ssh', { name: 'box', ...vm })).toThrow(
      expect.objectContaining({ message: `VM "box" is not running: it ${why}.`, hint }),
    );
  });
});
