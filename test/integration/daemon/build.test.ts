/** Image builds through the real daemon, on fake guests: the way to success, and every way out of it. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Image } from '../../../src/contracts/image.ts';
import type { Operation } from '../../../src/contracts/operation.ts';
import { run } from '../../../src/host/process.ts';
import { BUILD, type DaemonHome, makeDaemonHome, needRoot } from '../../support/daemon-home.ts';
import type { HostState } from '../../support/host-state.ts';
import { TINY_PACKAGES } from '../../support/tiny-image.ts';

let home: DaemonHome;
let before: HostState;
let sourceBefore: readonly string[];

/** A build of every kind of step that needs nothing from outside. */
const WHOLE = { ...BUILD, packages: ['jq'], userScript: 'echo "the user was here"' };

beforeAll(async () => {
  if (process.getuid?.() !== 0) return;
  home = await makeDaemonHome();
  await home.start();
  await home.perform('imageRegister', { params: { name: 'tiny' }, body: home.image });
  sourceBefore = await fingerprint();
  // The first guest leaves bridge, rules and folders, which stay for the next.
  await home.perform('imageBuild', { params: { name: 'first' }, body: BUILD });
  await home.perform('imageDelete', { params: { name: 'first' } });
  before = await home.state();
});

afterAll(async () => {
  await home?.[Symbol.asyncDispose]();
});

beforeEach((context) => {
  needRoot(context);
  home.guest.setPlan({});
  home.qemu.setPlan({ guestScript: home.guest.script });
});

/** Content, mode and time of the unmanaged image's own files. */
async function fingerprint(): Promise<readonly string[]> {
  return Promise.all(
    [home.image.rootfsPath, home.image.kernelPath].map(async (path) => {
      const { mode, mtimeMs } = await stat(path);
      const digest = createHash('sha256')
        .update(await readFile(path))
        .digest('hex');
      return `${path} ${mode.toString(8)} ${mtimeMs} ${digest}`;
    }),
  );
}

function build(name: string, body: object = BUILD): Promise<Operation> {
  return home.perform('imageBuild', { params: { name }, body: { ...BUILD, ...body } });
}

/** Starts a build that hangs in its step `network`, and waits until it does. */
async function hanging(name: string): Promise<Operation> {
  home.guest.setPlan({ steps: { network: 'echo it hangs; sleep 600' } });
  const operation = await home.client.call('imageBuild', { params: { name }, body: BUILD });
  await home.seen(operation, (event) => event.type === 'log' && event.line === 'it hangs');
  return operation;
}

/** The tiny image has no agent that could tell of these. */
const WITHOUT_AGENT: ReadonlySet<string> = new Set(['agent', 'network']);

test('a build succeeds, from its source to an image that tells its history', async () => {
  const operation = await build('dev', { ...WHOLE, sizeBytes: 64 * 2 ** 20 });
  expect(operation.error).toBeUndefined();
  expect(operation).toMatchObject({ state: 'succeeded', kind: 'image.build', target: 'dev' });
  expect(operation.stages.map(({ name, state }) => `${name} ${state}`)).toEqual(
    [
      ...['reserve', 'clone', 'grow', 'attach', 'process', 'kernel', 'agent', 'network', 'ssh'],
      ...['step:base', 'step:packages', 'step:network', 'step:agent', 'step:user', 'step:cleanup'],
      ...['stop', 'seal', 'clean up'],
    ].map((name) => `${name} ${WITHOUT_AGENT.has(name) ? 'skipped' : 'succeeded'}`),
  );
  expect(await home.client.operationLog(operation.id)).toContain('[step:user] the user was here');

  const image = await home.client.call('imageShow', { params: { name: 'dev' } });
  const source = await home.client.call('imageShow', { params: { name: 'tiny' } });
  expect(image).toEqual(operation.result);
  expect(image).toMatchObject({ managed: true, sizeBytes: 64 * 2 ** 20, packageCount: TINY_PACKAGES.length });
  const digest = createHash('sha256').update(await readFile(image.rootfsPath));
  expect(image.digest).toBe(`sha256:${digest.digest('hex')}`);
  await run(['e2fsck', '-fn', image.rootfsPath]);

  const { entries, packages } = await home.client.call('imageHistory', { params: { name: 'dev' } });
  expect(packages).toEqual(TINY_PACKAGES);
  expect(entries.map((entry) => entry.imageName)).toEqual(['dev', 'tiny']);
  expect(entries[0]?.provenance).toMatchObject({
    method: 'build',
    source: { name: 'tiny', digest: source.digest },
    operationId: operation.id,
  });
  expect(entries[0]?.provenance?.steps.map(({ name, outcome }) => `${name} ${outcome}`)).toEqual([
    'base succeeded',
    'packages succeeded',
    'network succeeded',
    'agent succeeded',
    'user succeeded',
    'cleanup succeeded',
  ]);

  expect((await home.perform('imageDelete', { params: { name: 'dev' } })).state).toBe('succeeded');
  expect(existsSync(dirname(image.rootfsPath))).toBe(false);
  await home.expectState(before);
});

test('a fake guest sees no process and no writable file of this machine', async () => {
  const userScript = [
    'ps -e -o pid= | wc -l',
    "awk '$3 !~ /^(tmpfs|overlay|proc|sysfs|devpts)$/ { print $2, $4 }' /proc/mounts | cut -d, -f1",
    '! touch /proc/sys/kernel/x && ! mount -t tmpfs t /tmp && ! mknod /tmp/disk b 8 0 && echo harmless',
  ].join('\n');
  const operation = await build('contained', { userScript });
  expect(operation.state).toBe('succeeded');
  await home.perform('imageDelete', { params: { name: 'contained' } });
  const log = await home.client.operationLog(operation.id);
  expect(log).toContain('[step:user] harmless');
  expect(Number(/^\[step:user\] +(\d+)$/m.exec(log)?.[1])).toBeLessThan(20);
  expect(log).toContain('[step:user] /run/plan ro');
  expect(log).not.toMatch(/ rw$/m);
});

describe('a step that fails', () => {
  test.each(['base', 'packages', 'network', 'agent', 'user', 'cleanup'])(
    '%s: is named, and nothing is left',
    async (step) => {
      home.guest.setPlan({ steps: { [step]: `echo the last words of ${step}; exit 3` } });
      const operation = await build('broken', WHOLE);
      expect(operation).toMatchObject({
        state: 'failed',
        error: {
          code: 'BUILD_STEP_FAILED',
          message: `Step "${step}" failed with status 3: the last words of ${step}`,
          hint: expect.stringContaining(operation.id),
          details: { step, exitStatus: 3 },
          operationId: operation.id,
        },
      });
      const failed = operation.stages.filter((stage) => stage.state === 'failed');
      expect(failed.map((stage) => stage.name)).toEqual([`step:${step}`]);
      expect(operation.stages.at(-1)).toMatchObject({ name: 'clean up', state: 'succeeded' });
      expect(operation.stages.at(-1)?.durationMs).toBeGreaterThan(0);
      await home.expectState(before);
    },
  );

  test('that hangs is cut at its deadline, and its processes are dead before the guest is', async () => {
    // Only what has left the step's process group can tell.
    const watcher = 'while kill -0 "$1" 2>/dev/null; do sleep 0.05; done; echo the step is dead';
    const script = `setsid sh -c '${watcher}' watcher $$ & echo it hangs; trap '' TERM HUP; sleep 600 & sleep 600`;
    home.guest.setPlan({ steps: { network: script } });
    const operation = await build('slow', { stepTimeoutMs: 1500 });
    expect(operation).toMatchObject({
      state: 'failed',
      error: { code: 'BUILD_STEP_TIMEOUT', details: { step: 'network', timeoutMs: 1500 } },
    });
    const log = await home.client.operationLog(operation.id);
    expect(log).toContain('[step:network] it hangs');
    expect(log).toContain('[step:network] the step is dead');
    await home.expectState(before);
  });

  test('leaves its disk where the build was asked to keep it, and says where', async () => {
    home.guest.setPlan({ steps: { network: 'exit 1' } });
    const operation = await build('kept', { keepFailed: true });
    const keptPath = String(operation.error?.details['keptPath']);
    expect(operation).toMatchObject({ state: 'failed', error: { code: 'BUILD_STEP_FAILED' } });
    expect(operation.error?.hint).toContain(keptPath);
    expect(dirname(keptPath)).toBe(home.paths.failedDir);
    await run(['e2fsck', '-fn', `${keptPath}/rootfs.ext4`], { okStatuses: [0, 4] });
    await rm(home.paths.failedDir, { recursive: true });
    await home.expectState(before);
  });
});

describe('a VMM', () => {
  test('that dies in the middle of a step fails the build at once', async () => {
    const operation = await hanging('orphan');
    const startedMs = performance.now();
    home.qemu.tell('crash');
    expect(await home.ended(operation)).toMatchObject({
      state: 'failed',
      error: { code: 'GUEST_UNREACHABLE', message: expect.stringContaining('The build VM ended (crashed:') },
    });
    expect(performance.now() - startedMs).toBeLessThan(10_000);
    await home.expectState(before);
  });

  test('that refuses to start is quoted', async () => {
    home.qemu.setPlan({ exitAtOnce: { status: 1, stderr: 'qemu: could not configure the tap' } });
    const operation = await build('refused');
    expect(operation).toMatchObject({ state: 'failed', error: { code: 'ENGINE_FAILED' } });
    expect(operation.error?.message).toContain('qemu: could not configure the tap');
    await home.expectState(before);
  });

  test('whose guest panics before it is ready is told apart from one that is slow', async () => {
    const guestScript = join(home.dir, 'panics');
    await writeFile(guestScript, 'exit 1\n');
    home.qemu.setPlan({ guestScript });
    const operation = await build('panics');
    expect(operation).toMatchObject({ state: 'failed', error: { code: 'BOOT_EXITED' } });
    expect(operation.error?.message).toContain('guest-panic');
    await home.expectState(before);
  });
});

describe('builds at once', () => {
  test('of one name: one wins, the other is told', async () => {
    home.guest.setPlan({});
    const answers = await Promise.allSettled(
      [1, 2].map(() => home.client.call('imageBuild', { params: { name: 'same' }, body: BUILD })),
    );
    const won = answers.find((answer) => answer.status === 'fulfilled');
    const lost = answers.find((answer) => answer.status === 'rejected');
    expect(lost?.reason).toMatchObject({ code: 'NAME_TAKEN' });
    if (!won) throw new Error('neither build was taken');
    // The loser's end must not make the winner's source free.
    await expect(home.client.call('imageDelete', { params: { name: 'tiny' } })).rejects.toMatchObject({
      code: 'IMAGE_IN_USE',
    });
    expect((await home.ended(won.value)).state).toBe('succeeded');
    await home.perform('imageDelete', { params: { name: 'same' } });
    await home.expectState(before);
  });

  test('of different names: both succeed, with different addresses', async () => {
    const names = ['left', 'right'];
    const ended = await Promise.all(names.map((name) => build(name)));
    expect(ended.map((operation) => operation.state)).toEqual(['succeeded', 'succeeded']);
    const addresses = ended.map((operation) => operation.stages.find((stage) => stage.name === 'attach')?.note);
    expect(new Set(addresses).size).toBe(2);
    expect(ended.map((operation) => (operation.result as Image).name)).toEqual(names);
    for (const name of names) await home.perform('imageDelete', { params: { name } });
    await home.expectState(before);
  });
});

test('an image is kept from deletion by the build that uses it', async () => {
  const operation = await hanging('user');
  await expect(home.client.call('imageDelete', { params: { name: 'tiny' } })).rejects.toMatchObject({
    code: 'IMAGE_IN_USE',
    message: expect.stringContaining('build of user'),
  });
  await home.client.call('operationCancel', { params: { id: operation.id } });
  expect((await home.ended(operation)).state).toBe('cancelled');
  await home.expectState(before);
});

test('the files of an unmanaged image are what they were, whatever was built from them', async () => {
  expect((await home.perform('vmCreate', { body: { name: 'box', image: 'tiny' } })).state).toBe('succeeded');
  await expect(home.client.call('imageDelete', { params: { name: 'tiny' } })).rejects.toMatchObject({
    code: 'IMAGE_IN_USE',
    message: expect.stringContaining('VM box'),
  });
  expect((await home.perform('vmDelete', { params: { name: 'box' } })).state).toBe('succeeded');
  await home.expectState(before);
  expect((await home.perform('imageDelete', { params: { name: 'tiny' } })).state).toBe('succeeded');
  expect(await fingerprint()).toEqual(sourceBefore);
});
