import { once } from 'node:events';
import { readdirSync, statSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { MachineIdentity, RunningMachine } from '../../../src/core/vms/engine.ts';
import type { StubPlan } from '../../fakes/firecracker-stub/stub-plan.ts';
import { isRunning } from '../../support/process-evidence.ts';
import { type DriverBench, driverBench, orphanOf } from './driver-bench.ts';

const NEVER = new AbortController().signal;

interface Started extends DriverBench {
  readonly machine: RunningMachine;
}

async function started(plan: StubPlan = {}): Promise<Started> {
  const bench = await driverBench(plan);
  return { ...bench, machine: await bench.engine.start(bench.spec, NEVER) };
}

/** A machine whose daemon was killed, as the next one finds it. */
async function adopted(
  plan: StubPlan = {},
  isJailed = false,
): Promise<Started & { readonly identity: MachineIdentity }> {
  const bench = await driverBench(plan, { isJailed });
  const identity = await orphanOf(bench);
  const machine = await bench.engine.adopt(identity);
  if (!machine) throw new TypeError('nothing was adopted');
  return { ...bench, machine, identity };
}

function names({ stub }: DriverBench): string[] {
  return stub.requests().map(({ name }) => name);
}

describe.each([
  ['our own', started],
  ['an adopted', adopted],
] as const)('%s machine', (_whose, makeMachine) => {
  test('is paused and resumed, and looked at whether it is', async () => {
    const bench = await makeMachine();
    await bench.machine.pause(NEVER);
    await bench.machine.pause(NEVER);
    await bench.machine.resume(NEVER);
    expect(names(bench).slice(-6)).toEqual(['PATCH /vm', 'GET /', 'PATCH /vm', 'GET /', 'PATCH /vm', 'GET /']);
    await bench.machine.kill();
  });

  test.each<[string, StubPlan, RegExp]>([
    ['is said to be done and is not', { noEffect: ['PATCH /vm'] }, /its state is "Running", not "Paused"/],
    ['is refused', { refuse: { 'PATCH /vm': 'no' } }, /refused PATCH \/vm \(400\): no/],
  ])('is not paused where it %s', async (_what, plan, words) => {
    const { machine } = await makeMachine(plan);
    await expect(machine.pause(NEVER)).rejects.toMatchObject({
      code: 'ENGINE_FAILED',
      message: expect.stringMatching(words),
    });
    await machine.kill();
  });

  test('is not paused by a Firecracker that would lose its agent, and nothing is asked', async () => {
    const bench = await makeMachine({ version: '1.16.1' });
    await expect(bench.machine.pause(NEVER)).rejects.toMatchObject({ message: expect.stringContaining('1.16.1') });
    expect(names(bench)).not.toContain('PATCH /vm');
    await bench.machine.kill();
  });

  test.each([
    ['reset', 'guest-reset'],
    ['panic', 'guest-panic'],
  ] as const)('whose guest ends by %s at Ctrl-Alt-Del says so, and leaves nothing', async (onCtrlAltDel, reason) => {
    const bench = await makeMachine({ onCtrlAltDel });
    await bench.machine.pressPowerButton(NEVER);
    expect(await bench.machine.exited).toMatchObject({ reason });
    expect(bench.left()).toEqual([]);
    // A button of a machine that is gone is pressed in vain, and that is all.
    await bench.machine.pressPowerButton(NEVER);
  });

  test('is ended, by the signal that was asked for', async () => {
    const bench = await makeMachine();
    expect(await bench.machine.endBy('INT')).toMatchObject({ reason: 'stopped' });
    expect(bench.running()).toEqual([]);
    expect(bench.left()).toEqual([]);
    const other = await makeMachine();
    expect(await other.machine.endBy('KILL')).toMatchObject({ reason: 'killed' });
  });

  test('is ended by SIGTERM, and its end is told once', async () => {
    const bench = await makeMachine();
    const exits = await Promise.all([bench.machine.kill(), bench.machine.kill(), bench.machine.exited]);
    expect(new Set(exits.map(({ reason }) => reason))).toEqual(new Set(['stopped']));
    expect(bench.left()).toEqual([]);
  });

  test('that somebody kills is noticed', async () => {
    const bench = await makeMachine();
    process.kill(bench.machine.identity.pid, 'SIGKILL');
    expect((await bench.machine.exited).reason).toMatch(/killed|crashed/);
    expect(bench.left()).toEqual([]);
  });

  test('gives a stream to its agent’s port', async () => {
    const { machine } = await makeMachine();
    const stream = await machine.openAgentStream(NEVER);
    const [greeting] = (await once(stream ?? expect.unreachable(), 'data')) as [Buffer];
    expect(String(greeting)).toBe('port 7117\n');
    stream?.destroy();
    await machine.kill();
  });
});

describe('a machine that is let go', () => {
  test('runs on, and is adopted as often as somebody comes', async () => {
    const bench = await adopted();
    bench.machine.release();
    const again = await bench.engine.adopt(bench.identity);
    again?.release();
    expect(isRunning(bench.identity.pid)).toBe(true);
    const last = await bench.engine.adopt(bench.identity);
    expect((await last?.kill())?.reason).toBe('stopped');
    expect(bench.left()).toEqual([]);
  });
});

describe('adoption', () => {
  test('of a jailed machine needs its identity alone, and removes the jail at its end', async (context) => {
    if (process.geteuid?.() !== 0) context.skip('needs root');
    const bench = await adopted({ onCtrlAltDel: 'panic' }, true);
    expect(bench.left()).not.toEqual([]);
    await bench.machine.pressPowerButton(NEVER);
    expect(await bench.machine.exited).toMatchObject({ reason: 'guest-panic' });
    expect(bench.left()).toEqual([]);
  });

  test('of one that is gone removes what it left', async (context) => {
    if (process.geteuid?.() !== 0) context.skip('needs root');
    const bench = await driverBench({}, { isJailed: true });
    const identity = await orphanOf(bench);
    process.kill(identity.pid, 'SIGKILL');
    expect(await bench.engine.adopt(identity)).toBeUndefined();
    expect(bench.left()).toEqual([]);
    expect(statSync(bench.spec.drives[0]?.path ?? '').uid).toBe(0);
  });

  test.each([false, true])('of one whose guest never ran ends it (jailed: %s)', async (isJailed) => {
    const bench = await driverBench({}, { isJailed: isJailed && process.geteuid?.() === 0 });
    const identity = await orphanOf(bench, 'identity');
    expect(await bench.engine.adopt(identity)).toBeUndefined();
    expect(isRunning(identity.pid)).toBe(false);
    expect(bench.left()).toEqual([]);
  });

  test('of another program with the same pid is none, and that one runs on', async () => {
    const bench = await driverBench();
    const identity = await orphanOf(bench);
    const other = { ...identity, controlSocketPath: '/other/qmp.sock' };
    expect(await bench.engine.adopt(other)).toBeUndefined();
    expect(isRunning(identity.pid)).toBe(true);
    await (await bench.engine.adopt(identity))?.kill();
  });

  test('of one whose API hangs is an error that names its pid', { timeout: 30_000 }, async () => {
    const bench = await driverBench();
    const identity = await orphanOf(bench);
    process.kill(identity.pid, 'SIGSTOP');
    await expect(bench.engine.adopt(identity)).rejects.toMatchObject({
      code: 'ENGINE_FAILED',
      message: expect.stringContaining(`pid ${identity.pid}`),
    });
    process.kill(identity.pid, 'SIGCONT');
    await (await bench.engine.adopt(identity))?.kill();
  });
});

test('nothing stays open in us when all machines are gone', async () => {
  const bench = await started();
  const before = readdirSync('/proc/self/fd').length;
  const next = await bench.engine.adopt(bench.machine.identity);
  await next?.pause(NEVER);
  next?.release();
  await bench.machine.kill();
  expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(before);
});

test('an adopted machine whose API has gone for good is ended, not lost track of', { timeout: 60_000 }, async () => {
  const bench = await adopted({ isFickle: true });
  expect(await bench.machine.exited).toMatchObject({ reason: 'killed' });
  expect(bench.running()).toEqual([]);
  expect(bench.left()).toEqual([]);
});
