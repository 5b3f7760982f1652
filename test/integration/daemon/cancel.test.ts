/** `op cancel` in every stage of a build: it ends, nothing is left, and the name is free for the next. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Operation } from '../../../src/contracts/operation.ts';
import { BUILD, type DaemonHome, makeDaemonHome, needRoot } from '../../support/daemon-home.ts';
import { HANG, type Intercepted } from '../../support/held-tools.ts';
import type { HostState } from '../../support/host-state.ts';

/** Every build here has this name: each one proves that the one before has given it back. */
const NAME = 'dev';
const WHOLE = { ...BUILD, sizeBytes: 64 * 2 ** 20, packages: ['jq'], userScript: 'true' };
/** Undoing takes no more than this, whatever hung. */
const CANCEL_BOUND_MS = 12_000;

let home: DaemonHome;
let before: HostState;

beforeAll(async () => {
  if (process.getuid?.() !== 0) return;
  home = await makeDaemonHome();
  before = await home.begin();
});

afterAll(async () => {
  await home?.[Symbol.asyncDispose]();
});

beforeEach((context) => {
  needRoot(context);
  home.guest.setPlan({});
  home.qemu.setPlan({ guestScript: home.guest.script });
});

/** What makes a build stay in a stage; what cannot be held before the build begins waits for the stage before. */
const HOLDS: Readonly<Record<string, { readonly after?: string; readonly hold: () => Promise<Intercepted> | void }>> = {
  reserve: { hold: () => undefined },
  clone: { hold: () => home.tools.intercept('cp', HANG) },
  grow: { hold: () => home.tools.intercept('resize2fs', HANG) },
  attach: { hold: () => home.tools.intercept('ip', HANG, 'tuntap add') },
  kernel: { hold: () => home.qemu.setPlan({ guestScript: home.guest.script, control: 'silent' }) },
  ssh: { hold: () => home.guest.setPlan({ silent: true }) },
  // The step cleanup calls sync itself.
  stop: { hold: () => home.guest.setPlan({ steps: { cleanup: 'true' }, sync: HANG }) },
  seal: { after: 'stop', hold: () => home.tools.intercept('e2fsck', HANG) },
  'clean up': { after: 'seal', hold: () => home.tools.intercept('ip', 'sleep 1', 'link delete') },
};

/** Tried apart from the others; over in a moment; skipped, since the tiny image has no agent. */
const NEVER_HELD: ReadonlySet<string> = new Set(['reserve', 'clean up', 'process', 'agent', 'network']);

function begins(operation: Operation, name: string): Promise<unknown> {
  return home.seen(
    operation,
    (event) => event.type === 'stage' && event.stage.name === name && event.stage.state !== 'pending',
  );
}

/** Starts a build, cancels it while it is held in a stage, and sees it end within the bound. */
async function cancelledIn(stage: string, body: typeof WHOLE = WHOLE): Promise<Operation> {
  const step = /^step:(.*)$/.exec(stage)?.[1];
  const { after, hold } = step
    ? { after: undefined, hold: () => home.guest.setPlan({ steps: { [step]: HANG } }) }
    : (HOLDS[stage] ?? { after: undefined, hold: () => expect.fail(`the test does not know the stage ${stage}`) });
  let held = after === undefined ? await hold() : undefined;
  const operation = await home.client.call('imageBuild', { params: { name: NAME }, body });
  if (after !== undefined) {
    await begins(operation, after);
    held = await hold();
  }
  await begins(operation, stage);
  await held?.called;
  const startedMs = performance.now();
  await home.client.call('operationCancel', { params: { id: operation.id } });
  const ended = await home.ended(operation);
  expect(performance.now() - startedMs).toBeLessThan(CANCEL_BOUND_MS);
  return ended;
}

test('a build that is cancelled leaves nothing, in whichever stage that is', async () => {
  // It lasts a moment only: where the cancel comes after it, the clone waits for it.
  await home.tools.intercept('cp', HANG);
  const { state, stages } = await cancelledIn('reserve');
  await home.tools.release();
  expect(state).toBe('cancelled');
  await home.expectState(before);
  const names = stages.map(({ name }) => name);
  expect(names).toContain('step:cleanup');
  for (const name of names.filter((name) => !NEVER_HELD.has(name))) {
    const operation = await cancelledIn(name);
    expect({ name, state: operation.state, code: operation.error?.code, also: operation.error?.details }).toEqual({
      name,
      state: 'cancelled',
      code: 'OPERATION_CANCELLED',
      also: { id: operation.id },
    });
    expect(operation.stages.find((stage) => stage.state === 'cancelled')?.name).toBe(name);
    expect(operation.stages.filter((stage) => stage.state === 'running')).toEqual([]);
    expect(operation.stages.at(-1)).toMatchObject({ name: 'clean up', state: 'succeeded' });
    expect(operation.stages.at(-1)?.durationMs).toBeGreaterThan(0);
    home.guest.setPlan({});
    home.qemu.setPlan({ guestScript: home.guest.script });
    await home.expectState(before);
  }
}, 150_000);

test('while sources are fetched, it leaves nothing in the cache either', async () => {
  await home.tools.intercept('git', HANG);
  const without = ['packages', 'mise', 'opencode'] as const;
  const body = { from: 'tiny', preset: 'dev' as const, without: [...without] };
  const operation = await home.client.call('imageBuild', { params: { name: NAME }, body });
  await begins(operation, 'fetch');
  await home.client.call('operationCancel', { params: { id: operation.id } });
  expect(await home.ended(operation)).toMatchObject({ state: 'cancelled', error: { code: 'OPERATION_CANCELLED' } });
  await home.expectState(before);
});

test('once the image is published it is too late: the build has succeeded, and clears up all the same', async () => {
  expect(await cancelledIn('clean up')).toMatchObject({ state: 'succeeded', result: { name: NAME } });
  await home.perform('imageDelete', { params: { name: NAME } });
  await home.expectState(before);
});

test('by the CLI: the build is cancelled, and following it says so', async () => {
  home.guest.setPlan({ steps: { base: HANG } });
  const operation = await home.client.call('imageBuild', { params: { name: NAME }, body: BUILD });
  await begins(operation, 'step:base');
  expect(await home.banger('op', 'cancel', operation.id)).toMatchObject({ exitStatus: 0 });
  expect(await home.ended(operation)).toMatchObject({ state: 'cancelled' });
  expect(await home.banger('op', 'cancel', operation.id)).toMatchObject({
    exitStatus: 1,
    stderr: expect.stringContaining('OPERATION_ENDED'),
  });
  await home.expectState(before);
});
