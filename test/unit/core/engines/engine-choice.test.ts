import { describe, expect, test } from 'vitest';
import {
  candidatesOf,
  decide,
  demandRefusal,
  deviceRefusal,
  type EngineSettings,
  probeRefusal,
  type Tried,
} from '../../../../src/core/engines/engine-choice.ts';
import type { Refusal } from '../../../../src/core/engines/ports.ts';
import type { EngineCapabilities } from '../../../../src/core/vms/engine.ts';

const AUTO: EngineSettings = { engine: 'auto', accelerator: 'auto' };
const NO_PROGRAM: Refusal = { reason: 'it is not installed', hint: 'install it' };
const NO_KVM: Refusal = { reason: '/dev/kvm is not there', hint: 'turn virtualisation on' };

/** Goes through the candidates as a host that refuses some of them would have it. */
function outcome(settings: EngineSettings, refusals: Readonly<Record<string, Refusal>>): ReturnType<typeof decide> {
  const tried: Tried[] = [];
  for (;;) {
    const decision = decide(settings, tried);
    if (decision.state !== 'ask') return decision;
    const { engine, accelerator } = decision.candidate;
    tried.push({ candidate: decision.candidate, refusal: refusals[`${engine}/${accelerator}`] });
  }
}

describe('the order', () => {
  test.each([
    ['auto', 'auto', ['firecracker/kvm', 'qemu/kvm', 'qemu/tcg']],
    ['auto', 'kvm', ['firecracker/kvm', 'qemu/kvm']],
    ['auto', 'tcg', ['qemu/tcg']],
    ['qemu', 'auto', ['qemu/kvm', 'qemu/tcg']],
    ['firecracker', 'auto', ['firecracker/kvm']],
    ['firecracker', 'tcg', []],
  ] as const)('engine %s, accelerator %s', (engine, accelerator, expected) => {
    expect(candidatesOf({ engine, accelerator }).map((one) => `${one.engine}/${one.accelerator}`)).toEqual(expected);
  });
});

describe('the choice', () => {
  test.each([
    [{}, { engine: 'firecracker', accelerator: 'kvm' }],
    [{ 'firecracker/kvm': NO_PROGRAM }, { engine: 'qemu', accelerator: 'kvm' }],
    [
      { 'firecracker/kvm': NO_PROGRAM, 'qemu/kvm': NO_KVM },
      { engine: 'qemu', accelerator: 'tcg' },
    ],
  ])('with %j refused', (refusals, candidate) => {
    expect(outcome(AUTO, refusals)).toMatchObject({ state: 'chosen', candidate });
  });

  test('software is told of where nobody asked for it, with the way out', () => {
    const slow = outcome(AUTO, { 'firecracker/kvm': NO_PROGRAM, 'qemu/kvm': NO_KVM });
    expect(slow).toMatchObject({
      notice: 'guests run in software (10 times slower): /dev/kvm is not there; to get faster: turn virtualisation on',
    });
    expect(outcome({ engine: 'qemu', accelerator: 'tcg' }, {})).toMatchObject({ notice: undefined });
    expect(outcome(AUTO, {})).toMatchObject({ notice: undefined });
  });

  test('where none is left the error names each with its reason, and each hint once', () => {
    const none = outcome(
      { engine: 'auto', accelerator: 'kvm' },
      { 'firecracker/kvm': NO_KVM, 'qemu/kvm': { ...NO_KVM, detail: 'EACCES' } },
    );
    expect(none.state === 'none' && none.error).toMatchObject({
      code: 'ENGINE_UNAVAILABLE',
      message:
        'No engine can run this VM. Firecracker on KVM: /dev/kvm is not there. QEMU on KVM: /dev/kvm is not there (EACCES).',
      hint: expect.stringMatching(/^Turn virtualisation on\. Or set `accelerator = "auto"`/),
    });
  });

  test('a kernel that no engine boots is the kernel’s fault', () => {
    const ofKernel: Refusal = { reason: 'it does not boot a bzImage', hint: 'give a vmlinux', isOfKernel: true };
    const none = outcome({ engine: 'firecracker', accelerator: 'auto' }, { 'firecracker/kvm': ofKernel });
    expect(none.state === 'none' && none.error.code).toBe('KERNEL_INVALID');
  });

  test('what cannot be together is refused before anything is looked at', () => {
    const none = outcome({ engine: 'firecracker', accelerator: 'tcg' }, {});
    expect(none.state === 'none' && none.error).toMatchObject({
      code: 'ENGINE_UNAVAILABLE',
      message: 'engine = "firecracker" cannot run with accelerator = "tcg".',
    });
  });
});

describe('what a machine asks of an engine', () => {
  const CAPABILITIES: EngineCapabilities = {
    snapshots: false,
    pauseRefused: undefined,
    maxCpus: 32,
    maxDrives: 8,
    limits: [],
    kernelFormats: ['elf'],
  };
  const DEMAND = { cpus: 2, memoryBytes: 2 ** 30, kernelFormat: 'elf' } as const;
  const HOST = { memoryBytes: 8 * 2 ** 30 };

  test.each([
    [{}, undefined],
    [{ cpus: 32 }, undefined],
    [{ cpus: 33 }, 'it gives a VM 32 processors at most, and this one has 33'],
    [{ memoryBytes: 9 * 2 ** 30 }, 'the host has 8G of memory, and this VM would have 9G'],
    [{ kernelFormat: 'bzimage' as const }, 'it does not boot a kernel that is a bzImage'],
  ])('%j', (change, reason) => {
    expect(demandRefusal(CAPABILITIES, { ...DEMAND, ...change }, HOST)?.reason).toBe(reason);
  });
});

test.each([
  ['usable', undefined],
  ['missing', '/dev/kvm is not there'],
  ['denied', '/dev/kvm may not be opened by this user'],
  ['broken', '/dev/kvm cannot be opened'],
] as const)('a device that is %s', (state, reason) => {
  expect(deviceRefusal(state)?.reason).toBe(reason);
});

test('a device that opens proves nothing where no guest boots on it', () => {
  expect(probeRefusal({ usable: true, reason: 'seen' })).toBeUndefined();
  expect(probeRefusal({ usable: false, reason: 'a guest said nothing within 5 s' })).toMatchObject({
    reason: '/dev/kvm opens, and no guest boots on it',
    detail: 'a guest said nothing within 5 s',
  });
});
