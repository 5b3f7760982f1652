/** The daemon is killed with SIGKILL, at any point; the next start leaves nothing of what was half done, and every VM. */
import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Operation } from '../../../src/contracts/operation.ts';
import type { Vm } from '../../../src/contracts/vm.ts';
import { BUILD, type DaemonHome, makeDaemonHome, needRoot } from '../../support/daemon-home.ts';
import { HANG, type Intercepted } from '../../support/held-tools.ts';
import type { HostState } from '../../support/host-state.ts';
import { isRunning } from '../../support/process-evidence.ts';

let home: DaemonHome;
let before: HostState;
let qemuScript: string;

beforeAll(async () => {
  if (process.getuid?.() !== 0) return;
  home = await makeDaemonHome();
  qemuScript = await readFile(home.qemu.path, 'utf8');
  before = await home.begin();
});

afterAll(async () => {
  await home?.[Symbol.asyncDispose]();
});

beforeEach(async (context) => {
  needRoot(context);
  home.guest.setPlan({});
  home.qemu.setPlan({ guestScript: home.guest.script });
  await home.start();
});

afterEach(async () => {
  if (!home) return;
  await writeFile(home.qemu.path, qemuScript);
  await home.tools.release();
});

/** What holds an operation in a stage, and with which of the host's programs. */
interface Hold {
  readonly stage: string;
  /** The stage after whose beginning it can be held. */
  readonly after?: string;
  readonly hold: () => Promise<Intercepted> | void;
}

const HOLD_CLONE: Hold = { stage: 'clone', hold: () => home.tools.intercept('cp', HANG) };
const HOLD_NETWORK: Hold = { stage: 'attach', hold: () => home.tools.intercept('ip', HANG, 'tuntap add') };
const HOLD_BOOT: Hold = {
  stage: 'kernel',
  hold: () => home.qemu.setPlan({ guestScript: home.guest.script, control: 'silent' }),
};
const HOLD_READY: Hold = { stage: 'ssh', hold: () => home.guest.setPlan({ silent: true }) };
const HOLD_STEP: Hold = { stage: 'step:network', hold: () => home.guest.setPlan({ steps: { network: HANG } }) };
const HOLD_STOP: Hold = {
  stage: 'stop',
  hold: () => home.guest.setPlan({ steps: { cleanup: 'true' }, sync: HANG }),
};
const HOLD_SEAL: Hold = { stage: 'seal', after: 'stop', hold: () => home.tools.intercept('e2fsck', HANG) };

function begins(operation: Operation, name: string): Promise<unknown> {
  return home.seen(
    operation,
    (event) => event.type === 'stage' && event.stage.name === name && event.stage.state !== 'pending',
  );
}

/** Kills the daemon while an operation is held in a stage, and starts it anew. @returns how the operation ended. */
async function interruptedIn(plan: Hold, begin: () => Promise<Operation>): Promise<Operation> {
  let held = plan.after === undefined ? await plan.hold() : undefined;
  const operation = await begin();
  if (plan.after !== undefined) {
    await begins(operation, plan.after);
    held = await plan.hold();
  }
  await begins(operation, plan.stage);
  const tool = await held?.called;
  await home.crash();
  // A tool of the host ends by itself sooner or later; this one would not.
  if (tool !== undefined) process.kill(tool, 'SIGKILL');
  await home.start();
  return home.client.call('operationShow', { params: { id: operation.id } });
}

const INTERRUPTED = { state: 'interrupted', error: { code: 'OPERATION_INTERRUPTED' } };

describe('in the middle of a build', () => {
  const begin = (): Promise<Operation> => home.client.call('imageBuild', { params: { name: 'dev' }, body: BUILD });

  test.each([HOLD_CLONE, HOLD_NETWORK, HOLD_BOOT, HOLD_READY, HOLD_STEP, HOLD_STOP, HOLD_SEAL])(
    'in its stage $stage: nothing is left, and the name is free',
    async (plan) => {
      const operation = await interruptedIn(plan, begin);
      expect(operation).toMatchObject(INTERRUPTED);
      expect(operation.stages.find(({ state }) => state === 'failed')?.name).toBe(plan.stage);
      await home.expectState(before);
    },
  );

  test('another of the same name succeeds afterwards', async () => {
    const ended = await home.ended(await begin());
    expect(ended.error).toBeUndefined();
    await home.perform('imageDelete', { params: { name: 'dev' } });
    await home.expectState(before);
  });
});

test('in the middle of a bootstrap: mmdebstrap ends with the daemon, and the very next start leaves nothing', async () => {
  // Deaf to signals and to a reader that has gone, as a download that says nothing is.
  const forever =
    "trap '' TERM HUP PIPE; echo writing; while :; do mkdir -p $TMPDIR/tree; date >$TMPDIR/tree/$(date +%N); done";
  await home.tools.intercept('mmdebstrap', forever);
  const operation = await home.client.call('imageBootstrap', { params: { name: 'first' }, body: {} });
  await home.seen(operation, (event) => event.type === 'log' && event.line === 'writing');
  await home.crash();
  await home.start();
  expect(await home.client.call('operationShow', { params: { id: operation.id } })).toMatchObject(INTERRUPTED);
  await home.expectState(before);
});

describe('in the middle of the creation of a VM', () => {
  const begin = (): Promise<Operation> => home.client.call('vmCreate', { body: { name: 'box', image: 'tiny' } });

  test.each([HOLD_CLONE, HOLD_NETWORK, HOLD_BOOT, HOLD_READY])(
    'in its stage $stage: nothing is left, and the name is free',
    async (plan) => {
      expect(await interruptedIn(plan, begin)).toMatchObject(INTERRUPTED);
      expect(await home.client.call('vmList', {})).toEqual([]);
      await home.expectState(before);
    },
  );

  test('between the start of its VMM and the writing down of that: the VMM is found all the same', async () => {
    await writeFile(
      home.qemu.path,
      qemuScript.replace('#!/bin/sh\n', '#!/bin/sh\n[ "$1" = --version ] || kill -KILL "$PPID"\n'),
    );
    const { pid } = await home.client.call('daemonStatus', {});
    const operation = await begin();
    await expect.poll(() => isRunning(pid), { timeout: 10_000 }).toBe(false);
    const started = home.qemu.starts().length;
    await expect.poll(() => home.qemu.starts().length, { timeout: 10_000 }).toBeGreaterThanOrEqual(started);
    await home.start();
    expect(await home.client.call('operationShow', { params: { id: operation.id } })).toMatchObject(INTERRUPTED);
    await home.expectState(before);
  });
});

describe('with a VM that runs', () => {
  beforeEach(async () => {
    expect((await home.perform('vmCreate', { body: { name: 'box', image: 'tiny' } })).error).toBeUndefined();
  });

  afterEach(async () => {
    await home.perform('vmDelete', { params: { name: 'box' } });
    await home.expectState(before);
  });

  function show(): Promise<Vm> {
    return home.client.call('vmShow', { params: { name: 'box' } });
  }

  test('the VM goes on, and is the next daemon’s: the same process, reached and stopped as ever', async () => {
    const running = await show();
    await home.crash();
    expect(isRunning(running.pid ?? 0)).toBe(true);
    await home.start();
    expect(await show()).toEqual(running);
    const said = await home.banger('vm', 'ssh', 'box', '--', 'hostname');
    expect(said).toMatchObject({ exitStatus: 0, stdout: 'box\n' });
    const stopped = await home.perform('vmStop', { params: { name: 'box' } });
    expect(stopped.stages.find(({ name }) => name === 'power off')?.note).toBe('clean');
    expect(await show()).toMatchObject({ state: 'stopped' });
    expect(isRunning(running.pid ?? 0)).toBe(false);
  });

  test('a VMM that dies while no daemon is there is seen as stopped, and can be started', async () => {
    const { pid = 0 } = await show();
    await home.crash();
    process.kill(pid, 'SIGKILL');
    await expect.poll(() => isRunning(pid)).toBe(false);
    await home.start();
    expect(await show()).toMatchObject({ state: 'stopped' });
    expect((await home.state()).links.filter((link) => link.startsWith('bngr-'))).toEqual([]);
    expect((await home.perform('vmStart', { params: { name: 'box' } })).error).toBeUndefined();
    expect(await show()).toMatchObject({ state: 'running' });
  });

  test('a guest that powers off after the daemon came back is noticed', async () => {
    const { pid = 0 } = await show();
    await home.crash();
    await home.start();
    await home.banger('vm', 'ssh', 'box', '--', 'poweroff');
    await expect.poll(async () => (await show()).state).toBe('stopped');
    expect(isRunning(pid)).toBe(false);
  });
});

test('a VM that was being deleted is gone after the next start', async () => {
  await home.perform('vmCreate', { body: { name: 'box', image: 'tiny' } });
  const held = await home.tools.intercept('ip', HANG, 'link delete');
  const operation = await home.client.call('vmDelete', { params: { name: 'box' } });
  const tool = await held.called;
  await home.crash();
  process.kill(tool, 'SIGKILL');
  await home.start();
  expect(await home.client.call('operationShow', { params: { id: operation.id } })).toMatchObject(INTERRUPTED);
  await home.expectState(before);
});

test('an ephemeral VM whose VMM died with the daemon is gone after the next start', async () => {
  await home.perform('vmCreate', { body: { name: 'brief', image: 'tiny', ephemeral: true } });
  const { pid = 0 } = await home.client.call('vmShow', { params: { name: 'brief' } });
  await home.crash();
  process.kill(pid, 'SIGKILL');
  await expect.poll(() => isRunning(pid)).toBe(false);
  await home.start();
  await home.expectState(before);
});
