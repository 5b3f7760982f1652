/** What a guest may take, and what happens when it takes longer. The daemon's bounds are made short for these tests. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Operation } from '../../../src/contracts/operation.ts';
import { run } from '../../../src/host/process.ts';
import { BUILD, type DaemonHome, makeDaemonHome, needRoot } from '../../support/daemon-home.ts';
import type { HostState } from '../../support/host-state.ts';

/** Of the minutes that a guest in software is given: some seconds to be ready, two to power off, less for a first word. */
const SCALE = 0.02;

let home: DaemonHome;
let before: HostState;

beforeAll(async () => {
  if (process.getuid?.() !== 0) return;
  home = await makeDaemonHome({ timeoutScale: SCALE });
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

function build(name: string): Promise<Operation> {
  return home.perform('imageBuild', { params: { name }, body: BUILD });
}

function noteOf(operation: Operation, stage: string): string | undefined {
  return operation.stages.find(({ name }) => name === stage)?.note;
}

describe('a guest that never answers', () => {
  test('fails a build within its bound, with the last lines of its console', async () => {
    home.guest.setPlan({ silent: true });
    const operation = await build('mute');
    expect(operation).toMatchObject({ state: 'failed', error: { code: 'BOOT_TIMEOUT', details: { stage: 'ssh' } } });
    expect(operation.error?.message).toMatch(/^The guest started, but \d+ s passed before its sshd listened\.$/);
    expect(operation.error?.details['console']).toContain('guest: up');
    const ready = operation.stages.find(({ name }) => name === 'ssh');
    expect(ready?.durationMs).toBeLessThan(600_000 * SCALE + 3_000);
    await home.expectState(before);
  });
});

describe('a guest that ignores power-off', () => {
  test('is killed after the bound; its disk is checked, and the build succeeds', async () => {
    home.guest.setPlan({ ignoresPowerOff: true });
    // What a guest leaves that was killed: a filesystem whose counts are wrong.
    await home.tools.intercept('e2fsck', 'debugfs -w -R "set_super_value free_blocks_count 1" "$2" >/dev/null 2>&1');
    const operation = await build('stubborn');
    expect(operation.error).toBeUndefined();
    expect(noteOf(operation, 'stop')).toBe('killed');
    expect(await home.client.operationLog(operation.id)).toContain('did not power off in time; its VMM is killed');
    const image = await home.client.call('imageShow', { params: { name: 'stubborn' } });
    await run(['e2fsck', '-fn', image.rootfsPath]);
    await home.perform('imageDelete', { params: { name: 'stubborn' } });
    await home.expectState(before);
  });

  test('is killed after the bound when its VM is stopped, and starts again', async () => {
    home.guest.setPlan({ ignoresPowerOff: true });
    await home.perform('vmCreate', { body: { name: 'box', image: 'tiny' } });
    const stopped = await home.perform('vmStop', { params: { name: 'box' } });
    expect(stopped.state).toBe('succeeded');
    expect(noteOf(stopped, 'power off')).toBe('killed');
    expect(await home.client.call('vmShow', { params: { name: 'box' } })).toMatchObject({ state: 'stopped' });
    home.guest.setPlan({});
    expect((await home.perform('vmStart', { params: { name: 'box' } })).state).toBe('succeeded');
    await home.perform('vmDelete', { params: { name: 'box' } });
    await home.expectState(before);
  });

  test('and does not answer over ssh has its power button pressed first', async () => {
    await home.perform('vmCreate', { body: { name: 'deaf', image: 'tiny' } });
    const { address } = await home.client.call('vmShow', { params: { name: 'deaf' } });
    // Its sshd is gone, and nothing else of it.
    const access = await home.banger('vm', 'ssh', 'deaf', '--', 'kill $(pgrep -o -x sshd)');
    expect(access.stderr).not.toContain('error:');
    const stopped = await home.perform('vmStop', { params: { name: 'deaf' } });
    expect(noteOf(stopped, 'power off')).toBe('clean');
    expect(await home.client.operationLog(stopped.id)).toContain(`${address}:22 did not answer by SSH`);
    await home.perform('vmDelete', { params: { name: 'deaf' } });
    await home.expectState(before);
  });
});

describe('a console that stays silent', () => {
  test('twice: the VMM is started again, and the build says so', async () => {
    home.qemu.setPlan({ guestScript: home.guest.script, silentBoots: home.qemu.starts().length + 2 });
    const operation = await build('late');
    expect(operation.error).toBeUndefined();
    expect(noteOf(operation, 'kernel')).toContain('started 3 times (silent console)');
    await home.perform('imageDelete', { params: { name: 'late' } });
    await home.expectState(before);
  });

  test('every time: the build fails, and nothing is left', async () => {
    home.qemu.setPlan({ guestScript: home.guest.script, silentBoots: home.qemu.starts().length + 3 });
    const operation = await build('never');
    expect(operation).toMatchObject({ state: 'failed', error: { code: 'BOOT_TIMEOUT' } });
    expect(operation.error?.message).toContain('no life on its console in 3 tries');
    await home.expectState(before);
  });
});
