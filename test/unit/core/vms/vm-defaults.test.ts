import { expect, test } from 'vitest';
import { defaultCpus, defaultMemoryBytes } from '../../../../src/contracts/vm-defaults.ts';
import { vmDefaults } from '../../../../src/core/vms/machine-plan.ts';

const GIB = 2 ** 30;
const MIB = 2 ** 20;

test.each([
  [1, 1],
  [2, 1],
  [7, 1],
  [8, 2],
  [16, 4],
  [128, 4],
])('of %i processors a VM gets %i', (hostCpus, cpus) => {
  expect(defaultCpus(hostCpus)).toBe(cpus);
});

test.each([
  [GIB, 512 * MIB],
  [4 * GIB, 512 * MIB],
  [16 * GIB, 2 * GIB],
  [16 * GIB - 100 * MIB, 2 * GIB - 64 * MIB],
  [64 * GIB, 8 * GIB],
  [1024 * GIB, 8 * GIB],
])('of %i bytes of memory a VM gets %i', (hostBytes, bytes) => {
  expect(defaultMemoryBytes(hostBytes)).toBe(bytes);
});

test('the config comes before the host, and what came from where is kept', () => {
  const host = { cpus: 16, memoryBytes: 32 * GIB };
  expect(vmDefaults({}, host)).toEqual({
    cpus: 4,
    memoryBytes: 4 * GIB,
    diskBytes: undefined,
    origins: { cpus: 'host', memory: 'host' },
  });
  expect(vmDefaults({ cpus: 2, memory: GIB, disk_size: 9 * GIB }, host)).toEqual({
    cpus: 2,
    memoryBytes: GIB,
    diskBytes: 9 * GIB,
    origins: { cpus: 'config', memory: 'config' },
  });
});
