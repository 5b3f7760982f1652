/** An unmanaged image is the user's own: read, never written; promoted, it becomes banger's. */
import { copyFileSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { Image } from '../../src/contracts/image.ts';
import type { Vm } from '../../src/contracts/vm.ts';
import { run } from '../../src/host/process.ts';
import { json, ok, refused } from './banger.ts';

let dir: string;
let files: { readonly rootfs: string; readonly kernel: string; readonly initrd: string };

beforeAll(async () => {
  dir = join(inject('bangerHome'), 'mine');
  mkdirSync(dir);
  files = { rootfs: join(dir, 'root.ext4'), kernel: join(dir, 'vmlinuz'), initrd: join(dir, 'initrd') };
  const { rootfsPath, boot } = await json<Image>(['image', 'show', 'debian']);
  await run(['cp', '--sparse=always', rootfsPath, files.rootfs]);
  copyFileSync(boot.kernelPath, files.kernel);
  copyFileSync(boot.initrdPath ?? '', files.initrd);
});

afterAll(() => {
  rmSync(dir, { recursive: true });
});

/** What a write would change. */
async function evidence(): Promise<readonly unknown[]> {
  const { stdout } = await run(['sha256sum', files.rootfs, files.kernel, files.initrd]);
  const facts = Object.values(files).map((path) => statSync(path));
  return [stdout, ...facts.map(({ mtimeMs, mode, size }) => [mtimeMs, mode, size])];
}

test('its files stay as they are through register, a VM, promote and delete', async () => {
  const before = await evidence();
  const { rootfs, kernel, initrd } = files;
  await ok(['image', 'register', 'mine', '--rootfs', rootfs, '--kernel', kernel, '--initrd', initrd]);
  expect(await json<Image>(['image', 'show', 'mine'])).toMatchObject({ managed: false, rootfsPath: rootfs });
  await ok(['vm', 'create', '--name', 'guest', '--image', 'mine']);
  expect(await ok(['vm', 'ssh', 'guest', '--', 'hostname'])).toBe('guest\n');
  expect((await refused(['image', 'delete', 'mine'])).code).toBe('IMAGE_IN_USE');

  await ok(['image', 'promote', 'mine']);
  const promoted = await json<Image>(['image', 'show', 'mine']);
  expect(promoted.managed).toBe(true);
  expect(promoted.rootfsPath).not.toBe(rootfs);
  expect((await refused(['image', 'promote', 'mine'])).code).toBe('IMAGE_ALREADY_MANAGED');
  await ok(['vm', 'delete', 'guest']);
  expect(await json<Vm[]>(['vm', 'list'])).toEqual([]);
  await ok(['image', 'delete', 'mine']);
  expect(await evidence()).toEqual(before);
});
