import { chmodSync, copyFileSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, type TestContext } from 'vitest';
import { createFirecrackerDriver, type FirecrackerDriverOptions } from '../../../src/adapters/firecracker/driver.ts';
import { assertKvmOpens } from '../../../src/adapters/firecracker/preflight.ts';
import { configSchema } from '../../../src/contracts/config.ts';
import type { AppError } from '../../../src/core/app-error.ts';
import type { StubPlan } from '../../fakes/firecracker-stub/stub-plan.ts';
import { type DriverBench, driverBench } from './driver-bench.ts';

const NEVER = new AbortController().signal;

interface EnginesBench extends DriverBench {
  readonly options: FirecrackerDriverOptions;
  readonly said: string[];
}

async function enginesBench(plan: StubPlan = {}): Promise<EnginesBench> {
  const bench = await driverBench(plan);
  const said: string[] = [];
  const options = {
    firecrackerPath: bench.stub.path,
    jailerPath: bench.stub.jailerPath,
    jailer: configSchema.parse({}).jailer,
    jailsDir: bench.jailsDir,
    bootTimeoutsMs: [20_000],
    log: (line: string) => said.push(line),
    probe: { initrdPath: '/nowhere', configPath: '/nowhere', makeInitrd: () => Promise.reject(new Error('no')) },
  };
  return { ...bench, options, said };
}

async function skipWithoutKvm(context: TestContext): Promise<void> {
  const reason = await assertKvmOpens().then(
    () => undefined,
    (error: AppError) => error.message,
  );
  if (reason !== undefined) context.skip(reason);
}

function skipUnlessRoot(context: TestContext): void {
  if (process.geteuid?.() !== 0) context.skip('needs root');
}

describe('a program that is not Firecracker', () => {
  test.each<[string, (bench: EnginesBench) => string, RegExp]>([
    ['is not there', () => '/nonexistent/firecracker', /no program \/nonexistent/],
    ['cannot be run', ({ stub }) => (chmodSync(stub.path, 0o600), stub.path), /no program/],
    ['is another', () => '/bin/echo', /does not call itself "Firecracker v1\.2\.3"/],
    ['is the jailer', ({ stub }) => stub.jailerPath, /does not call itself/],
    ['fails', () => '/bin/false', /ended with status 1/],
  ])('because it %s, is refused', async (_what, pathOf, words) => {
    const bench = await enginesBench();
    const engines = createFirecrackerDriver({ ...bench.options, firecrackerPath: pathOf(bench) });
    const error = await engines.engineFor('kvm').catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'ENGINE_UNAVAILABLE', message: expect.stringMatching(words) });
    expect((error as AppError).hint).toContain('firecracker_bin');
  });
});

describe('a version', () => {
  test('that is too old is refused', async () => {
    const { options } = await enginesBench({ version: '1.13.2' });
    await expect(createFirecrackerDriver(options).engineFor('kvm')).rejects.toMatchObject({
      code: 'ENGINE_UNAVAILABLE',
      message: expect.stringContaining('1.13.2 is too old'),
    });
  });

  test.each([
    ['1.15.1', undefined, ['elf']],
    ['1.16.1', expect.stringContaining('1.16.1'), ['elf']],
  ])('%s has the capabilities of its release', async (version, pauseRefused, kernelFormats) => {
    const { options } = await enginesBench({ version });
    const off = { ...options, jailer: { ...options.jailer, mode: 'off' as const } };
    const engine = await createFirecrackerDriver(off).engineFor('kvm');
    expect(engine).toMatchObject({ name: 'firecracker', accelerator: 'kvm' });
    expect(engine.capabilities).toEqual({
      snapshots: false,
      pauseRefused,
      maxCpus: 32,
      maxDrives: 13,
      limits: ['diskBytesPerSecond', 'networkBytesPerSecond'],
      kernelFormats,
    });
  });

  test('that is newer than what is known is warned of, once', async (context) => {
    await skipWithoutKvm(context);
    const { options, said } = await enginesBench({ version: '1.17.0-dev' });
    const engines = createFirecrackerDriver({ ...options, jailer: { ...options.jailer, mode: 'off' } });
    await engines.engineFor('kvm');
    await engines.engineFor('kvm');
    expect(said).toEqual([expect.stringContaining('1.17.0-dev is newer')]);
  });
});

describe('the jail', () => {
  test('is there where we are root, by whatever link the program is found', async (context) => {
    await skipWithoutKvm(context);
    skipUnlessRoot(context);
    const bench = await enginesBench();
    const link = join(bench.dir, 'stub', 'link');
    symlinkSync(bench.stub.path, link);
    const engine = await createFirecrackerDriver({ ...bench.options, firecrackerPath: link }).engineFor('kvm');
    const machine = await engine.start(bench.spec, NEVER);
    expect(machine.identity.jailDir).toBe(join(bench.jailsDir, 'firecracker', bench.spec.id));
    const adopted = await createFirecrackerDriver({ ...bench.options, firecrackerPath: '/gone' })
      .adopterFor('kvm')
      .adopt(machine.identity);
    adopted?.release();
    expect(adopted?.identity).toEqual(machine.identity);
    await machine.kill();
    expect(bench.left()).toEqual([]);
  });

  test('is missed where its program is not there, and does without where that is said', async (context) => {
    await skipWithoutKvm(context);
    skipUnlessRoot(context);
    const bench = await enginesBench();
    const options = { ...bench.options, jailerPath: '/nonexistent/jailer' };
    await expect(createFirecrackerDriver(options).engineFor('kvm')).rejects.toMatchObject({
      code: 'ENGINE_UNAVAILABLE',
      hint: expect.stringContaining('mode = "off"'),
    });
    const engine = await createFirecrackerDriver({ ...options, jailer: { ...options.jailer, mode: 'off' } }).engineFor(
      'kvm',
    );
    const machine = await engine.start(bench.spec, NEVER);
    expect(machine.identity.jailDir).toBeUndefined();
    await machine.kill();
    expect(bench.left()).toEqual([]);
  });

  test('is refused to a program that the jailer would not start', async (context) => {
    await skipWithoutKvm(context);
    skipUnlessRoot(context);
    const { options, dir } = await enginesBench();
    const firecrackerPath = join(dir, 'stub', 'vmm');
    copyFileSync(options.firecrackerPath ?? '', firecrackerPath);
    await expect(createFirecrackerDriver({ ...options, firecrackerPath }).engineFor('kvm')).rejects.toMatchObject({
      code: 'ENGINE_UNAVAILABLE',
      message: expect.stringContaining('without "firecracker"'),
    });
  });

  test('of another version than Firecracker is warned of', async (context) => {
    await skipWithoutKvm(context);
    skipUnlessRoot(context);
    const { options, said } = await enginesBench({ version: '1.14.3' });
    await createFirecrackerDriver(options).engineFor('kvm');
    expect(said).toContain('The jailer is of version 1.15.1, Firecracker of 1.14.3.');
  });

  test('is refused where its filesystem has no devices', async (context) => {
    await skipWithoutKvm(context);
    skipUnlessRoot(context);
    const { options } = await enginesBench();
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .map((line) => line.split(' '));
    const [, , , , point] = mounts.findLast((fields) => fields[5]?.split(',').includes('nodev')) ?? [];
    if (point === undefined) context.skip('the host has no filesystem that is mounted nodev');
    const jailer = { ...options.jailer, base_dir: `${point}/jails` };
    await expect(createFirecrackerDriver({ ...options, jailer }).engineFor('kvm')).rejects.toMatchObject({
      code: 'ENGINE_UNAVAILABLE',
      message: expect.stringContaining('nodev'),
    });
  });

  test('cannot be made on another filesystem than the disk’s, and nothing of it is left', async (context) => {
    await skipWithoutKvm(context);
    skipUnlessRoot(context);
    const bench = await enginesBench();
    // A filesystem of its own, which takes no links from others.
    const shm = `/dev/shm/banger-test-${process.pid}`;
    const engine = await createFirecrackerDriver(bench.options).engineFor('kvm');
    writeFileSync(shm, 'disk');
    try {
      const drives = [{ id: 'root', path: shm, readOnly: false }];
      await expect(engine.start({ ...bench.spec, drives }, NEVER)).rejects.toMatchObject({
        code: 'ENGINE_UNAVAILABLE',
        hint: expect.stringContaining('base_dir'),
      });
      // What is only read is copied.
      const machine = await engine.start({ ...bench.spec, kernelPath: copyOfKernel(shm) }, NEVER);
      await machine.kill();
    } finally {
      rmSync(shm);
    }
    expect(bench.left()).toEqual([]);
  });
});

/** The same file, now a kernel. */
function copyOfKernel(path: string): string {
  writeFileSync(path, '\x7fELF', { mode: 0o644 });
  return path;
}
