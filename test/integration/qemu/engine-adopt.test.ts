import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { describe, expect, test } from 'vitest';
import type { MachineIdentity } from '../../../src/core/vms/engine.ts';
import { identifyProcess } from '../../../src/host/process-identity.ts';
import type { FakeQemuPlan } from '../../fakes/qemu/fake-plan.ts';
import { isRunning } from '../../support/process-evidence.ts';
import { type EngineBench, engineBench } from './engine-bench.ts';

const NEVER = new AbortController().signal;

/** Starts a machine in a process of its own and ends that process with SIGKILL: what a crashed daemon leaves. */
async function orphan(plan: FakeQemuPlan = {}): Promise<EngineBench & { readonly identity: MachineIdentity }> {
  const bench = await engineBench(plan);
  const starter = spawn(process.execPath, [new URL('start-and-wait.ts', import.meta.url).pathname], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, QEMU_PATH: bench.fake.path, SPEC: JSON.stringify(bench.spec) },
  });
  const [line] = (await once(createInterface({ input: starter.stdout }), 'line')) as [string];
  starter.kill('SIGKILL');
  await once(starter, 'exit');
  return { ...bench, identity: JSON.parse(line) as MachineIdentity };
}

describe('after the starter was killed', () => {
  test('the VMM runs on, is found again by its evidence, and is ours: button, end, reason', async () => {
    const { engine, identity } = await orphan();
    expect(isRunning(identity.pid)).toBe(true);
    const machine = await engine.adopt(identity);
    expect(machine?.identity).toEqual(identity);
    await machine?.pressPowerButton(NEVER);
    expect((await machine?.exited)?.reason).toBe('guest-shutdown');
  });

  test('an adopted one can be let go of and adopted again', async () => {
    const { engine, identity, running } = await orphan();
    (await engine.adopt(identity))?.release();
    (await engine.adopt(identity))?.release();
    const machine = await engine.adopt(identity);
    expect((await machine?.kill())?.reason).toBe('stopped');
    expect(running()).toEqual([]);
  });

  test('kill takes SIGKILL where it must', async () => {
    const { engine, identity, running } = await orphan({ ignoreSigterm: true });
    const machine = await engine.adopt(identity);
    expect((await machine?.kill())?.reason).toBe('killed');
    expect(running()).toEqual([]);
  });

  test('a VMM that vanishes is reported without delay', async () => {
    const { engine, identity } = await orphan();
    const machine = await engine.adopt(identity);
    process.kill(identity.pid, 'SIGKILL');
    expect(await machine?.exited).toMatchObject({ reason: 'crashed', detail: 'QEMU ended without a word' });
  });

  test('one whose control connection alone ends is ended too: nobody could stop it later', async () => {
    const { engine, identity, fake } = await orphan();
    const machine = await engine.adopt(identity);
    fake.tell('garbage');
    expect((await machine?.exited)?.reason).toBe('crashed');
    expect(isRunning(identity.pid)).toBe(false);
  });
});

describe('what is not adopted', () => {
  test('a VMM that is gone', async () => {
    const { engine, spec } = await engineBench();
    const machine = await engine.start(spec, NEVER);
    await machine.kill();
    expect(await engine.adopt(machine.identity)).toBeUndefined();
  });

  test('the same pid of an earlier boot, or with another start time', async () => {
    const { engine, spec } = await engineBench();
    const machine = await engine.start(spec, NEVER);
    machine.release();
    expect(await engine.adopt({ ...machine.identity, bootId: 'another boot' })).toBeUndefined();
    const startTimeTicks = machine.identity.startTimeTicks + 1;
    expect(await engine.adopt({ ...machine.identity, startTimeTicks })).toBeUndefined();
    await machine.kill();
  });

  test('a process that is no VMM of ours', async () => {
    const { engine } = await engineBench();
    const self = await identifyProcess(process.pid);
    if (!self) throw new Error('the test’s own process is not found');
    const stranger = { engine: 'qemu', accelerator: 'tcg', ...self, controlSocketPath: '/nowhere' } as const;
    expect(await engine.adopt(stranger)).toBeUndefined();
  });

  test('one that never let its guest run; it is ended', async () => {
    const { engine, spec, fake, running } = await engineBench();
    const identity = await crashBeforeCont(spec, fake.path);
    expect(isRunning(identity.pid)).toBe(true);
    expect(await engine.adopt(identity)).toBeUndefined();
    expect(running()).toEqual([]);
  });
});

/** A daemon that was killed between writing the identity down and letting the guest run. */
async function crashBeforeCont(spec: EngineBench['spec'], qemuPath: string): Promise<MachineIdentity> {
  const starter = spawn(process.execPath, [new URL('start-and-wait.ts', import.meta.url).pathname], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, QEMU_PATH: qemuPath, SPEC: JSON.stringify(spec), STOP_AT: 'identity' },
  });
  const [line] = (await once(createInterface({ input: starter.stdout }), 'line')) as [string];
  starter.kill('SIGKILL');
  await once(starter, 'exit');
  return JSON.parse(line) as MachineIdentity;
}
