/** A home on a small disk of its own: full before anything is made, and full in the middle. */
import { mkdir, mkdtemp, realpath, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { run } from '../../../src/host/process.ts';
import { BUILD, type DaemonHome, makeDaemonHome, needRoot } from '../../support/daemon-home.ts';
import type { HostState } from '../../support/host-state.ts';

const MIB = 2 ** 20;

let dir: string;
let mountPoint: string;
let home: DaemonHome | undefined;

beforeEach(async (context) => {
  needRoot(context);
  dir = await realpath(await mkdtemp(join(tmpdir(), 'bgr-disk-')));
  mountPoint = join(dir, 'm');
});

afterEach(async () => {
  if (!dir) return;
  await home?.[Symbol.asyncDispose]();
  home = undefined;
  await run(['umount', mountPoint], { okStatuses: [0, 32] });
  await rm(dir, { recursive: true, force: true });
});

/** Mounts a new filesystem and puts a home on it, with an image registered. */
async function homeOn(sizeBytes: number): Promise<{ readonly home: DaemonHome; readonly before: HostState }> {
  const disk = join(dir, 'disk');
  await writeFile(disk, '');
  await truncate(disk, sizeBytes);
  await run(['mkfs.ext4', '-q', '-F', '-m', '0', disk]);
  await mkdir(mountPoint);
  await run(['mount', '-o', 'loop', disk, mountPoint]);
  home = await makeDaemonHome({ home: join(mountPoint, 'h') });
  await home.start();
  await home.perform('imageRegister', { params: { name: 'tiny' }, body: home.image });
  // The first guest makes banger's key, which stays.
  await home.perform('vmCreate', { body: { name: 'first', image: 'tiny', start: false } });
  await home.perform('vmDelete', { params: { name: 'first' } });
  return { home, before: await home.state() };
}

test('a disk without room is told before anything is made', async () => {
  const { home, before } = await homeOn(256 * MIB);
  await expect(home.client.call('imageBuild', { params: { name: 'dev' }, body: BUILD })).rejects.toMatchObject({
    code: 'DISK_FULL',
    details: { neededBytes: expect.any(Number), freeBytes: expect.any(Number) },
  });
  await home.expectState(before);
});

test('a daemon whose disk is full, its log’s too, lives on and says so', async () => {
  const { home } = await homeOn(900 * MIB);
  const { pid } = await home.client.call('daemonStatus', {});
  const filler = join(mountPoint, 'filler');
  await run(['dd', 'if=/dev/zero', `of=${filler}`, 'bs=4k'], { okStatuses: [1] });
  for (let attempt = 0; attempt < 5; attempt += 1) {
    await expect(home.client.call('vmCreate', { body: { image: 'tiny' } })).rejects.toMatchObject({
      code: 'DISK_FULL',
    });
  }
  expect((await home.client.call('daemonStatus', {})).pid).toBe(pid);
  await rm(filler);
  expect((await home.perform('vmCreate', { body: { name: 'box', image: 'tiny' } })).error).toBeUndefined();
});

test('a disk that becomes full while it is cloned fails the build, and leaves nothing', async () => {
  const { home, before } = await homeOn(900 * MIB);
  const filler = join(mountPoint, 'filler');
  await home.tools.intercept(
    'cp',
    `for size in 1M 4k; do dd if=/dev/zero of='${filler}' bs=$size oflag=append conv=notrunc >/dev/null 2>&1 || :; done`,
  );
  const operation = await home.perform('imageBuild', { params: { name: 'dev' }, body: BUILD });
  expect(operation).toMatchObject({ state: 'failed', error: { code: 'DISK_FULL' } });
  expect(operation.stages.find(({ state }) => state === 'failed')?.name).toBe('clone');
  await rm(filler);
  await home.expectState(before);
  // The name is free, and with room there is an image.
  expect((await home.perform('imageBuild', { params: { name: 'dev' }, body: BUILD })).error).toBeUndefined();
});
