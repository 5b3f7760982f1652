import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createProbeMemory } from '../../../src/adapters/host-facts/probe-memory.ts';
import type { KvmFinding } from '../../../src/core/engines/ports.ts';
import { makeTempDir } from '../../support/temp-dir.ts';

const FINDING: KvmFinding = {
  engine: 'qemu',
  programStamp: '/usr/bin/qemu 1 2 3',
  kernelDigest: 'sha256:aa',
  kernelPath: '/boot/vmlinuz',
  usable: false,
  reason: 'a guest said nothing within 5 s',
  tookMs: 5003,
  at: '2026-11-25T12:00:00.000Z',
};

test('what was found is known to the next that asks, and replaced by what is found later', async () => {
  const path = join(await makeTempDir(), 'cache', 'kvm-probes.json');
  expect(await createProbeMemory(path).list()).toEqual([]);
  await createProbeMemory(path).remember(FINDING);
  await createProbeMemory(path).remember({ ...FINDING, kernelDigest: 'sha256:bb' });
  const again = { ...FINDING, usable: true, reason: 'seen' };
  await createProbeMemory(path).remember(again);
  expect(await createProbeMemory(path).list()).toEqual([{ ...FINDING, kernelDigest: 'sha256:bb' }, again]);
});

test('another boot of the host knows nothing of it', async () => {
  const path = join(await makeTempDir(), 'kvm-probes.json');
  await createProbeMemory(path).remember(FINDING);
  const file = JSON.parse(readFileSync(path, 'utf8')) as object;
  writeFileSync(path, JSON.stringify({ ...file, bootId: 'another' }));
  expect(await createProbeMemory(path).list()).toEqual([]);
});

test.each(['', '{', '[]', '{"version":2}'])('a file that holds %j is as none, and is replaced', async (text) => {
  const path = join(await makeTempDir(), 'kvm-probes.json');
  writeFileSync(path, text);
  expect(await createProbeMemory(path).list()).toEqual([]);
  await createProbeMemory(path).remember(FINDING);
  expect(await createProbeMemory(path).list()).toEqual([FINDING]);
});

test('it keeps the newest 32', async () => {
  const memory = createProbeMemory(join(await makeTempDir(), 'kvm-probes.json'));
  for (let index = 0; index < 34; index += 1) await memory.remember({ ...FINDING, kernelDigest: `sha256:${index}` });
  const digests = (await memory.list()).map(({ kernelDigest }) => kernelDigest);
  expect(digests).toHaveLength(32);
  expect(digests[0]).toBe('sha256:2');
});
