import { utimesSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createQemuDriver } from '../../../src/adapters/qemu/driver.ts';
import type { EngineDriver } from '../../../src/core/engines/ports.ts';
import { installFakeQemu } from '../../fakes/qemu/install-fake-qemu.ts';
import { makeTempDir } from '../../support/temp-dir.ts';

const driver = (qemuPath: string): EngineDriver =>
  createQemuDriver({ qemuPath, probe: { initrdPath: '/nowhere', makeInitrd: () => Promise.reject(new Error('no')) } });

test('a QEMU that runs is not refused, and makes engines on either accelerator', async () => {
  const qemu = driver(installFakeQemu(await makeTempDir()).path);
  expect(await qemu.refusal()).toBeUndefined();
  expect(await qemu.engineFor('tcg')).toMatchObject({ name: 'qemu', accelerator: 'tcg', slowness: 10 });
  expect(await qemu.engineFor('kvm')).toMatchObject({ name: 'qemu', accelerator: 'kvm', slowness: 1 });
});

test('one that is not there is refused with the command that installs it', async () => {
  expect(await driver('/nonexistent/qemu').refusal()).toEqual({
    reason: '/nonexistent/qemu is not installed',
    hint: 'install it: sudo apt-get install -y qemu-system-x86',
  });
  expect(await driver('/nonexistent/qemu').programStamp()).toBe('');
});

test('a program that is no QEMU is refused with the setting that names it', async () => {
  expect(await driver('/bin/false').refusal()).toMatchObject({
    reason: 'it cannot be run',
    hint: expect.stringContaining('qemu_bin'),
  });
});

test('a program that was replaced has another stamp', async () => {
  const { path } = installFakeQemu(await makeTempDir());
  const before = await driver(path).programStamp();
  expect(await driver(path).programStamp()).toBe(before);
  utimesSync(path, 1, 1);
  expect(await driver(path).programStamp()).not.toBe(before);
});
