import { describe, expect, test } from 'vitest';
import type { FakeQemuPlan } from '../../fakes/qemu/fake-plan.ts';
import { engineBench } from './engine-bench.ts';

const NEVER = new AbortController().signal;

async function runningMachine(plan: FakeQemuPlan = {}) {
  const bench = await engineBench(plan);
  return { ...bench, machine: await bench.engine.start(bench.spec, NEVER) };
}

describe('a machine that ends by itself', () => {
  test.each([
    ['guest-shutdown', 'guest-shutdown'],
    ['guest-reset', 'guest-reset'],
    ['guest-panic', 'guest-panic'],
    ['crash', 'crashed'],
  ] as const)('%s is reported as %s', async (verb, reason) => {
    const { fake, machine, running } = await runningMachine();
    fake.tell(verb);
    expect((await machine.exited).reason).toBe(reason);
    expect(running()).toEqual([]);
  });

  test('a crash carries the last words of its log', async () => {
    const { fake, machine } = await runningMachine();
    fake.tell('crash');
    expect((await machine.exited).detail).toMatch(/SIGABRT: .*Assertion/);
  });

  test('somebody’s kill -9 is reported as killed', async () => {
    const { machine } = await runningMachine();
    process.kill(machine.identity.pid, 'SIGKILL');
    expect(await machine.exited).toMatchObject({ reason: 'killed', detail: expect.stringContaining('SIGKILL') });
  });
});

describe('a VMM that breaks the protocol is ended, not lost track of', () => {
  test.each([
    ['garbage', /not JSON/],
    ['endless-line', /more than 1048576 bytes/],
  ] as const)('%s', async (verb, words) => {
    const { fake, machine, running } = await runningMachine();
    fake.tell(verb);
    const exit = await machine.exited;
    expect(exit.reason).toBe('crashed');
    expect(exit.detail).toMatch(words);
    expect(running()).toEqual([]);
  });
});

describe('the power button', () => {
  test('lets the guest end itself', async () => {
    const { machine } = await runningMachine();
    await machine.pressPowerButton(NEVER);
    expect((await machine.exited).reason).toBe('guest-shutdown');
  });

  test('may be ignored; the machine runs on and can be killed', async () => {
    const { machine, running } = await runningMachine({ powerButton: 'ignored' });
    await machine.pressPowerButton(NEVER);
    expect(running()).toEqual([machine.identity.pid]);
    expect((await machine.kill()).reason).toBe('stopped');
  });

  test('does nothing on a machine that has just ended', async () => {
    const { fake, machine } = await runningMachine();
    fake.tell('guest-shutdown');
    await machine.exited;
    await expect(machine.pressPowerButton(NEVER)).resolves.toBeUndefined();
  });

  test('is let go of when the signal is aborted', async () => {
    const { machine } = await runningMachine();
    await expect(machine.pressPowerButton(AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
    await machine.kill();
  });
});

describe('kill', () => {
  test('asks first', async () => {
    const { machine, running } = await runningMachine();
    expect(await machine.kill()).toEqual(await machine.exited);
    expect((await machine.exited).reason).toBe('stopped');
    expect(running()).toEqual([]);
  });

  test('takes SIGKILL where asking does not help', async () => {
    const { machine, running } = await runningMachine({ ignoreSigterm: true });
    expect((await machine.kill()).reason).toBe('killed');
    expect(running()).toEqual([]);
  });

  test('can be called twice at once, and again afterwards', async () => {
    const { machine } = await runningMachine();
    const [first, second] = await Promise.all([machine.kill(), machine.kill()]);
    expect(second).toEqual(first);
    expect(await machine.kill()).toEqual(first);
  });
});

test('a machine that is let go of still reports its end, as our own child', async () => {
  const { machine } = await runningMachine();
  machine.release();
  expect((await machine.kill()).reason).toBe('crashed');
});
