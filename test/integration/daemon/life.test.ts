/** The life of VMs and of the daemon itself: what ends, what goes on, and what is left of it. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { DaemonStatus } from '../../../src/contracts/daemon.ts';
import { type DaemonHome, makeDaemonHome, needRoot } from '../../support/daemon-home.ts';
import type { HostState } from '../../support/host-state.ts';
import { isRunning } from '../../support/process-evidence.ts';

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

beforeEach(async (context) => {
  needRoot(context);
  home.guest.setPlan({});
  home.qemu.setPlan({ guestScript: home.guest.script });
  await home.start();
});

describe('a VM', () => {
  test('that runs is deleted, and nothing of it is left', async () => {
    expect((await home.perform('vmCreate', { body: { name: 'box', image: 'tiny' } })).error).toBeUndefined();
    const { pid = 0 } = await home.client.call('vmShow', { params: { name: 'box' } });
    expect((await home.perform('vmDelete', { params: { name: 'box' } })).error).toBeUndefined();
    expect(isRunning(pid)).toBe(false);
    await home.expectState(before);
  });

  test('that is ephemeral is gone when its guest powers off', async () => {
    await home.perform('vmCreate', { body: { name: 'brief', image: 'tiny', ephemeral: true } });
    await home.banger('vm', 'ssh', 'brief', '--', 'poweroff');
    await expect.poll(() => home.client.call('vmList', {}), { timeout: 10_000 }).toEqual([]);
    await home.expectState(before);
  });

  test('that is not ephemeral is stopped when its guest powers off, and starts at once', async () => {
    await home.perform('vmCreate', { body: { name: 'box', image: 'tiny' } });
    home.qemu.tell('guest-shutdown');
    const show = () => home.client.call('vmShow', { params: { name: 'box' } });
    await expect.poll(async () => (await show()).state, { timeout: 10_000 }).toBe('stopped');
    expect((await home.perform('vmStart', { params: { name: 'box' } })).error).toBeUndefined();
    await home.perform('vmDelete', { params: { name: 'box' } });
    await home.expectState(before);
  });

  test('whose VMM crashes has failed, with the reason, and starts again', async () => {
    await home.perform('vmCreate', { body: { name: 'box', image: 'tiny' } });
    home.qemu.tell('crash');
    const show = () => home.client.call('vmShow', { params: { name: 'box' } });
    await expect.poll(async () => (await show()).state, { timeout: 10_000 }).toBe('failed');
    expect((await show()).stateReason).toMatch(/^crashed: /);
    expect((await home.perform('vmStart', { params: { name: 'box' } })).error).toBeUndefined();
    expect((await show()).stateReason).toBeUndefined();
    await home.perform('vmDelete', { params: { name: 'box' } });
    await home.expectState(before);
  });

  test('whose VMM refuses to start is undone in a stage that is seen, when it is created and when it is started', async () => {
    const refusal = { exitAtOnce: { status: 1, stderr: 'qemu: no' } };
    await home.perform('vmCreate', { body: { name: 'box', image: 'tiny', start: false } });
    home.qemu.setPlan(refusal);
    const started = await home.perform('vmStart', { params: { name: 'box' } });
    const created = await home.perform('vmCreate', { body: { name: 'other', image: 'tiny' } });
    const undone = [
      ...['attach succeeded', 'process succeeded', 'kernel failed'],
      ...['agent skipped', 'network skipped', 'ssh skipped', 'clean up succeeded'],
    ];
    expect(started.stages.map(({ name, state }) => `${name} ${state}`)).toEqual(undone);
    expect(created.stages.map(({ name, state }) => `${name} ${state}`).slice(2)).toEqual(undone);
    for (const { stages } of [started, created]) expect(stages.at(-1)?.durationMs).toBeGreaterThan(0);
    await home.perform('vmDelete', { params: { name: 'box' } });
    await home.expectState(before);
  });

  test('whose TAP cannot be removed at once is told of, in the stage and in the error', async () => {
    home.qemu.setPlan({ exitAtOnce: { status: 1, stderr: 'qemu: no' } });
    await home.tools.intercept('ip', 'echo "RTNETLINK answers: busy" >&2; exit 2', 'link delete');
    // It is removed when the VM is: the second attempt is not held up.
    const { stages, error } = await home.perform('vmCreate', { body: { name: 'box', image: 'tiny' } });
    const told = expect.stringMatching(/^Could not remove TAP .*busy/);
    expect(stages.at(-1)).toMatchObject({ name: 'clean up', state: 'failed', note: told });
    expect(error).toMatchObject({ code: 'ENGINE_FAILED', details: { alsoFailed: [told] } });
    await home.expectState(before);
  });

  test('keeps its image from being deleted, and is named', async () => {
    await home.perform('vmCreate', { body: { name: 'box', image: 'tiny', start: false } });
    await expect(home.client.call('imageDelete', { params: { name: 'tiny' } })).rejects.toMatchObject({
      code: 'IMAGE_IN_USE',
      message: expect.stringContaining('VM box'),
    });
    await home.perform('vmDelete', { params: { name: 'box' } });
    await home.expectState(before);
  });
});

describe('daemon stop', () => {
  test('with no VM takes the namespace away', async () => {
    expect(await home.banger('daemon', 'stop')).toMatchObject({ exitStatus: 0 });
    await expect
      .poll(() => home.state(), { timeout: 15_000 })
      .toMatchObject({ processes: [], links: ['absent'], mounts: [] });
  });

  test('with a VM keeps it, its network and its guest, which answers before and after', async () => {
    await home.perform('vmCreate', { body: { name: 'box', image: 'tiny' } });
    const { pid = 0, tapName } = await home.client.call('vmShow', { params: { name: 'box' } });
    const stopped = await home.banger('daemon', 'stop');
    expect(stopped.stdout).toContain('box');
    expect(isRunning(pid)).toBe(true);
    expect((await home.state()).links.some((link) => link.startsWith(`${tapName} `))).toBe(true);
    expect(await home.banger('vm', 'ssh', 'box', '--', 'hostname')).toMatchObject({ exitStatus: 0, stdout: 'box\n' });
    await home.perform('vmDelete', { params: { name: 'box' } });
  });
});

test('two first commands at once on an empty home both succeed, with one daemon', async (context) => {
  needRoot(context);
  await using empty = await makeDaemonHome();
  const answers = await Promise.all([1, 2].map(() => empty.banger('daemon', 'start', '--json')));
  expect(answers.map(({ exitStatus, stderr }) => ({ exitStatus, stderr }))).toEqual([
    { exitStatus: 0, stderr: '' },
    { exitStatus: 0, stderr: '' },
  ]);
  const statuses = answers.map(({ stdout }) => JSON.parse(stdout) as DaemonStatus & { readonly started: boolean });
  expect(new Set(statuses.map(({ pid }) => pid)).size).toBe(1);
  const daemons = (await empty.state()).processes.filter((line) => line.includes('daemon/main.ts'));
  expect(daemons).toHaveLength(1);
});
