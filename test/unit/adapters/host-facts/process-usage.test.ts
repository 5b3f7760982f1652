import { expect, test } from 'vitest';
import { hostUsage, usageFromStat } from '../../../../src/adapters/host-facts/process-usage.ts';

test('a command’s name may hold anything', () => {
  const fields = ['S', ...Array.from({ length: 49 }, (_, index) => String(index + 4))];
  fields[11] = '120';
  fields[12] = '30';
  fields[21] = '2048';
  expect(usageFromStat(`42 (a) R (b c) ${fields.join(' ')}`)).toEqual({ cpuMs: 1500, residentBytes: 8 * 2 ** 20 });
});

test('our own process uses something; one that is gone uses nothing anybody could tell', async () => {
  const usage = await hostUsage.ofProcess(process.pid);
  expect(usage?.residentBytes).toBeGreaterThan(2 ** 20);
  expect(usage?.cpuMs).toBeGreaterThan(0);
  expect(await hostUsage.ofProcess(2 ** 22 + 1)).toBeUndefined();
});
