import { expect, test } from 'vitest';
import { kernelArguments } from '../../../../src/adapters/qemu/kernel-args.ts';

const SPEC = { drives: [{ id: 'root', path: '/d', readOnly: false }], kernelArgs: ['panic=5'] };
const TSC = { khz: 2_596_094, trusted: true };

test('a guest in software is told the speed of the host’s counter, and to trust it', () => {
  const words = kernelArguments(SPEC, { accelerator: 'tcg', tsc: TSC });
  expect(words).toContain('tsc_early_khz=2596094');
  expect(words).toContain('tsc=reliable');
});

test('a counter that the host itself does not keep time by is not to be trusted', () => {
  const words = kernelArguments(SPEC, { accelerator: 'tcg', tsc: { ...TSC, trusted: false } });
  expect(words).toContain('tsc_early_khz=2596094');
  expect(words).toContain('tsc=unstable');
});

test.each([
  ['unknown', { accelerator: 'tcg', tsc: undefined }],
  ['of no use under KVM', { accelerator: 'kvm', tsc: TSC }],
] as const)('no word of the counter where it is %s', (_why, host) => {
  expect(kernelArguments(SPEC, host).filter((word) => word.startsWith('tsc'))).toEqual([]);
});

test('the machine’s own arguments come last, so that they win', () => {
  expect(kernelArguments(SPEC, { accelerator: 'kvm', tsc: undefined }).at(-1)).toBe('panic=5');
});
