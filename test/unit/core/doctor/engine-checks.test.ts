import { expect, test } from 'vitest';
import { checkEngines, type EngineFact } from '../../../../src/core/doctor/engine-checks.ts';
import type { KvmFinding } from '../../../../src/core/engines/ports.ts';

const AUTO = { engine: 'auto', accelerator: 'auto' } as const;
const ONLY_KVM = { engine: 'auto', accelerator: 'kvm' } as const;
const FOUND: KvmFinding = {
  engine: 'qemu',
  programStamp: 'q',
  kernelDigest: 'sha256:aa',
  kernelPath: '/k',
  usable: true,
  reason: 'a guest was seen to run programs',
  tookMs: 240,
  at: '2026-11-25T12:00:00.000Z',
};
const DEAD: KvmFinding = { ...FOUND, usable: false, reason: 'a guest said nothing within 5 s', tookMs: 5_010 };
const NO_FIRECRACKER: EngineFact = {
  name: 'firecracker',
  refusal: { reason: 'There is no program firecracker', hint: 'Get a release' },
  finding: undefined,
};
const qemu = (finding?: KvmFinding): EngineFact => ({ name: 'qemu', refusal: undefined, finding });

test.each([
  [
    'nobody has tried KVM yet',
    AUTO,
    [NO_FIRECRACKER, qemu()],
    ['ok', 'Guests run on QEMU on KVM, if guests boot on it: the first start finds out, or `banger doctor --probe`'],
    [
      'ok',
      '/dev/kvm opens, which proves nothing: a guest is booted on it before it is used; `banger doctor --probe` does it now',
    ],
  ],
  [
    'guests boot on KVM',
    AUTO,
    [NO_FIRECRACKER, qemu(FOUND)],
    ['ok', 'Guests run on QEMU on KVM'],
    ['ok', 'Guests boot on KVM: a guest was seen to run programs, found in 0.2 s at 2026-11-25T12:00:00.000Z'],
  ],
  [
    'guests do not boot on KVM',
    AUTO,
    [NO_FIRECRACKER, qemu(DEAD)],
    ['ok', 'Guests run on QEMU in software'],
    [
      'ok',
      '/dev/kvm opens, and no guest boots on it: a guest said nothing within 5 s, found in 5.0 s at 2026-11-25T12:00:00.000Z',
    ],
  ],
  [
    'they do not, and the config allows nothing else',
    ONLY_KVM,
    [NO_FIRECRACKER, qemu(DEAD)],
    ['failed', expect.stringMatching(/^No engine can run this VM\. Firecracker on KVM: .*QEMU on KVM: /)],
    ['ok', expect.stringContaining('no guest boots on it')],
  ],
  [
    'there is a Firecracker, on which guests boot',
    AUTO,
    [{ name: 'firecracker', refusal: undefined, finding: { ...FOUND, engine: 'firecracker' } }, qemu()],
    ['ok', 'Guests run on Firecracker on KVM'],
    ['ok', expect.stringContaining('Guests boot on KVM')],
  ],
] as const)('%s', (_what, settings, engines, choice, kvm) => {
  const checks = checkEngines(settings, engines, 'usable');
  expect(checks.map(({ name }) => name)).toEqual(['engine', 'accelerator']);
  expect(checks.map(({ outcome, message }) => [outcome, message])).toEqual([choice, kvm]);
});

test('where the device is not there nothing else is told of KVM', () => {
  const [choice, kvm] = checkEngines(AUTO, [qemu(FOUND)], 'missing');
  expect(choice?.message).toBe('Guests run on QEMU in software');
  expect(kvm).toMatchObject({ outcome: 'ok', message: '/dev/kvm is not there' });
});

test('software that was asked for has no need of KVM', () => {
  const [choice, kvm] = checkEngines({ engine: 'auto', accelerator: 'tcg' }, [qemu()], 'denied');
  expect([choice?.message, kvm?.message]).toEqual([
    'Guests run on QEMU in software',
    'accelerator = "tcg": KVM is not asked for',
  ]);
});
