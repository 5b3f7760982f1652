import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { QemuEngine } from '../../../src/adapters/qemu/engine.ts';
import { AppError } from '../../../src/core/app-error.ts';
import { machineSpec } from '../../support/machine-spec.ts';
import { makeTempDir } from '../../support/temp-dir.ts';
import { engineBench } from './engine-bench.ts';

const NEVER = new AbortController().signal;
const SHORT_MS = 400;

describe('a start that succeeds', () => {
  test('returns once the console shows life, with the identity written down before the guest ran', async () => {
    const consoleAtIdentity: string[] = [];
    const bench = await engineBench();
    const spec = {
      ...bench.spec,
      onIdentity: async (identity: Parameters<typeof bench.spec.onIdentity>[0]) => {
        consoleAtIdentity.push(readFileSync(spec.consolePath, 'utf8'));
        await bench.spec.onIdentity(identity);
      },
    };
    const machine = await bench.engine.start(spec, NEVER);
    expect(machine.identity).toEqual(bench.identities[0]);
    expect(machine.identity).toMatchObject({
      engine: 'qemu',
      accelerator: 'tcg',
      pid: bench.fake.starts()[0]?.pid,
      controlSocketPath: spec.controlSocketPath,
    });
    expect(consoleAtIdentity).toEqual(['']);
    expect(machine.bootRetries).toBe(0);
    expect(readFileSync(spec.consolePath, 'utf8')).toContain('console enabled');
    await machine.kill();
  });

  test('leaves console and log to us alone, with nothing of an earlier run in the console', async () => {
    const { engine, spec } = await engineBench();
    writeFileSync(spec.consolePath, 'an earlier run\n', { mode: 0o644 });
    // A file that an earlier QEMU left behind.
    writeFileSync(spec.controlSocketPath, '');
    const machine = await engine.start(spec, NEVER);
    expect(statSync(spec.consolePath).mode & 0o777).toBe(0o600);
    expect(statSync(spec.vmmLogPath).mode & 0o777).toBe(0o600);
    expect(readFileSync(spec.consolePath, 'utf8')).not.toContain('an earlier run');
    await machine.kill();
  });

  test.each([
    ['silent', { silentBoots: 2 }],
    ['stuck with its clock at zero', { stuckBoots: 2 }],
  ])('a guest that is %s twice is started a third time', async (_what, plan) => {
    const { engine, fake, spec, identities, running } = await engineBench(plan, {
      bootTimeoutsMs: [SHORT_MS, SHORT_MS, 20_000],
    });
    const machine = await engine.start(spec, NEVER);
    expect(machine.bootRetries).toBe(2);
    expect(fake.starts()).toHaveLength(3);
    expect(running()).toEqual([machine.identity.pid]);
    expect(identities.map(({ pid }) => pid)).toEqual(fake.starts().map(({ pid }) => pid));
    await machine.kill();
  });
});

describe('a start that fails leaves nothing running', () => {
  test.each([
    ['silent', { silentBoots: 9 }, ''],
    ['stuck', { stuckBoots: 9 }, 'could not calculate TSC khz'],
  ])('BOOT_TIMEOUT where the console stays %s in every try', async (_what, plan, tail) => {
    const { engine, fake, spec, running } = await engineBench(plan, { bootTimeoutsMs: [SHORT_MS, SHORT_MS] });
    const error = await failureOf(engine.start(spec, NEVER));
    expect(error).toMatchObject({ code: 'BOOT_TIMEOUT', message: expect.stringContaining('2 tries') });
    expect(error.details['consoleTail']).toContain(tail);
    expect(fake.starts()).toHaveLength(2);
    expect(running()).toEqual([]);
  });

  test('ENGINE_FAILED with the VMM’s own words of this run, control characters made harmless', async () => {
    const { engine, spec, running } = await engineBench({
      exitAtOnce: { status: 1, stderr: 'qemu: \u001b[31mbad option' },
    });
    writeFileSync(spec.vmmLogPath, 'words of an earlier run\n');
    const error = await failureOf(engine.start(spec, NEVER));
    expect(error).toMatchObject({ code: 'ENGINE_FAILED', message: expect.stringContaining('qemu: ?[31mbad option') });
    expect(error.details['vmmLog']).not.toContain('earlier run');
    expect(running()).toEqual([]);
  });

  test('ENGINE_UNAVAILABLE, with the command that installs it, where QEMU is not there', async () => {
    const { spec } = machineSpec(await makeTempDir());
    const engine = new QemuEngine({
      qemuPath: '/nonexistent/qemu',
      accelerator: 'kvm',
      bootTimeoutsMs: [SHORT_MS],
      tsc: () => Promise.resolve(undefined),
    });
    const error = await failureOf(engine.start(spec, NEVER));
    expect(error).toMatchObject({ code: 'ENGINE_UNAVAILABLE', hint: expect.stringContaining('qemu-system-x86') });
  });

  test('PATH_TOO_LONG before anything is made', async () => {
    const { engine, fake, spec } = await engineBench();
    const controlSocketPath = `/${'s'.repeat(107)}`;
    const error = await failureOf(engine.start({ ...spec, controlSocketPath }, NEVER));
    expect(error.code).toBe('PATH_TOO_LONG');
    expect(fake.starts()).toEqual([]);
  });

  test.each([
    ['sends no JSON', { control: 'garbage' }, /not JSON/],
    ['sends a line without end', { control: 'endless-line' }, /more than 1048576 bytes/],
    ['refuses to run the guest', { control: 'refuse-cont' }, /the plan refuses cont/],
  ] as const)('ENGINE_FAILED where it %s', async (_what, plan, words) => {
    const { engine, spec, running } = await engineBench(plan);
    const error = await failureOf(engine.start(spec, NEVER));
    expect(error.code).toBe('ENGINE_FAILED');
    expect(error.message).toMatch(words);
    expect(running()).toEqual([]);
  });

  test.each([
    ['powers off', 'guest-shutdown', /powered off/],
    ['resets', 'guest-reset', /rebooted/],
    ['brings QEMU down', 'crash', /SIGABRT: .*Assertion/],
  ] as const)('BOOT_EXITED where the guest %s at once', async (_what, afterCont, words) => {
    const { engine, spec, running } = await engineBench({ afterCont });
    const error = await failureOf(engine.start(spec, NEVER));
    expect(error.code).toBe('BOOT_EXITED');
    expect(error.message).toMatch(words);
    expect(running()).toEqual([]);
  });

  test('what `onIdentity` throws comes out as it is', async () => {
    const { engine, fake, spec, running } = await engineBench();
    const full = new AppError('DISK_FULL', 'no space for the runtime record');
    const error = await failureOf(engine.start({ ...spec, onIdentity: () => Promise.reject(full) }, NEVER));
    expect(error).toBe(full);
    expect(fake.starts().length).toBeLessThanOrEqual(1);
    expect(running()).toEqual([]);
  });
});

describe('a start that is cancelled leaves nothing running', () => {
  const cancelled = new AppError('OPERATION_CANCELLED', 'cancelled by the test');

  test('before it begins', async () => {
    const { engine, fake, spec } = await engineBench();
    expect(await failureOf(engine.start(spec, AbortSignal.abort(cancelled)))).toBe(cancelled);
    expect(fake.starts()).toEqual([]);
  });

  test('while the identity is written down', async () => {
    const { engine, spec, running } = await engineBench();
    const abort = new AbortController();
    const onIdentity = (): Promise<void> => {
      abort.abort(cancelled);
      return Promise.resolve();
    };
    expect(await failureOf(engine.start({ ...spec, onIdentity }, abort.signal))).toBe(cancelled);
    expect(running()).toEqual([]);
  });

  test.each([
    ['while QEMU has not made its socket', { control: 'no-socket' }, 'started'],
    ['while QEMU does not greet', { control: 'silent' }, 'connected'],
    ['while the console is silent', { silentBoots: 1 }, 'running'],
  ] as const)('%s', async (_when, plan, phase) => {
    const { engine, fake, spec, running } = await engineBench(plan);
    const abort = new AbortController();
    const start = failureOf(engine.start(spec, abort.signal));
    await fake.reached(phase);
    abort.abort(cancelled);
    expect(await start).toBe(cancelled);
    expect(running()).toEqual([]);
  });
});

async function failureOf(work: Promise<unknown>): Promise<AppError> {
  const outcome = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(outcome).toBeInstanceOf(AppError);
  return outcome as AppError;
}
