import { describe, expect, test } from 'vitest';
import { createQemuEngines, type QemuEnginesOptions } from '../../../src/adapters/qemu/engines.ts';
import { installFakeQemu } from '../../fakes/qemu/install-fake-qemu.ts';
import { makeTempDir } from '../../support/temp-dir.ts';

async function engines(overrides: Partial<QemuEnginesOptions> = {}) {
  const qemuPath = installFakeQemu(await makeTempDir()).path;
  return createQemuEngines({ engine: 'auto', accelerator: 'auto', qemuPath, ...overrides });
}

describe('choose', () => {
  test.each([
    ['auto', 'auto'],
    ['auto', 'tcg'],
    ['qemu', 'auto'],
  ] as const)('engine %s with accelerator %s is QEMU in software', async (engine, accelerator) => {
    const chosen = await (await engines({ engine, accelerator })).choose();
    expect(chosen).toMatchObject({ name: 'qemu', accelerator: 'tcg', slowness: 10 });
  });

  test('Firecracker is refused, and the error says that this version has none', async () => {
    await expect((await engines({ engine: 'firecracker' })).choose()).rejects.toMatchObject({
      code: 'ENGINE_UNAVAILABLE',
      message: expect.stringContaining('no Firecracker engine'),
    });
  });

  test('a QEMU that is not there is refused with the command that installs it', async () => {
    await expect((await engines({ qemuPath: '/nonexistent/qemu' })).choose()).rejects.toMatchObject({
      code: 'ENGINE_UNAVAILABLE',
      hint: expect.stringContaining('apt-get install -y qemu-system-x86'),
    });
  });

  test('a program that is no QEMU is refused', async () => {
    await expect((await engines({ qemuPath: '/bin/false' })).choose()).rejects.toMatchObject({
      code: 'ENGINE_UNAVAILABLE',
      hint: expect.stringContaining('qemu_bin'),
    });
  });
});

describe('forIdentity', () => {
  const IDENTITY = {
    engine: 'qemu',
    accelerator: 'kvm',
    pid: 1,
    startTimeTicks: 1,
    bootId: 'x',
    controlSocketPath: '/s',
  } as const;

  test('is the engine that the machine runs on, whatever the config says now', async () => {
    expect((await engines({ accelerator: 'tcg' })).forIdentity(IDENTITY)).toMatchObject({ accelerator: 'kvm' });
  });

  test('of a Firecracker machine is refused', async () => {
    const all = await engines();
    expect(() => all.forIdentity({ ...IDENTITY, engine: 'firecracker' })).toThrow(/no Firecracker engine/);
  });
});
