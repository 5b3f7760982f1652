import { mkdir, mkdtemp, readFile, readdir, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createImageFolders } from '../../../src/adapters/folders/image-folders.ts';
import { AppError } from '../../../src/core/app-error.ts';
import type { ImageFolders } from '../../../src/core/images/ports.ts';

const IMAGE = 'img-00000000aa';
const OTHER = 'img-00000000bb';

const never = new AbortController().signal;

let root: string;
let folders: ImageFolders;
let modules: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'banger-folders-'));
  folders = createImageFolders({
    imagesDir: join(root, 'state/images'),
    stagingDir: join(root, 'state/staging'),
    failedDir: join(root, 'state/failed'),
  });
  modules = join(root, 'modules');
  await mkdir(join(modules, 'kernel/net'), { recursive: true });
  await writeFile(join(modules, 'modules.dep'), 'dep');
  await writeFile(join(modules, 'kernel/net/veth.ko'), 'ko');
  await symlink('/usr/src/linux-headers', join(modules, 'build'));
  await symlink('kernel/net', join(modules, 'inside'));
  await symlink('modules', join(root, 'current'));
  await writeFile(join(root, 'kernel'), 'kernel', { mode: 0o444 });
  await writeFile(join(root, 'initrd'), 'initrd');
});

afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

const boot = () => ({
  kernelPath: join(root, 'kernel'),
  initrdPath: join(root, 'initrd'),
  modulesPath: join(root, 'current'),
});

test('stages, fills, publishes, reads and removes an image', async () => {
  const staged = await folders.stage(IMAGE);
  expect((await stat(staged.dir)).mode & 0o777).toBe(0o700);
  await writeFile(staged.rootfsPath, 'rootfs');
  await folders.copyBootSet(staged, boot(), never);
  await folders.writePackages(staged, ['a 1', 'b 2']);
  expect(await folders.listStaged()).toEqual([IMAGE]);
  expect(await folders.list()).toEqual([]);

  const published = await folders.publish(staged, IMAGE);
  const dir = join(root, 'state/images', IMAGE);
  expect(published).toEqual({
    rootfsPath: join(dir, 'rootfs.ext4'),
    boot: { kernelPath: join(dir, 'kernel'), initrdPath: join(dir, 'initrd'), modulesPath: join(dir, 'modules') },
  });
  expect(await folders.listStaged()).toEqual([]);
  expect(await folders.list()).toEqual([IMAGE]);
  expect(await folders.readPackages(IMAGE)).toEqual(['a 1', 'b 2']);
  expect(await readFile(join(dir, 'modules/inside/veth.ko'), 'utf8')).toBe('ko');
  expect(await readlink(join(dir, 'modules/build'))).toBe('/usr/src/linux-headers');
  expect(await readlink(join(dir, 'modules/inside'))).toBe('kernel/net');
  expect((await stat(join(dir, 'kernel'))).mode & 0o777).toBe(0o600);
  await folders.assertReadable([published.rootfsPath, join(dir, 'modules')]);

  await folders.remove(IMAGE);
  await folders.remove(IMAGE);
  expect(await folders.list()).toEqual([]);
  expect(await readdir(modules)).toContain('modules.dep');
});

test('an image without initrd and modules has none', async () => {
  const staged = await folders.stage(IMAGE);
  await folders.copyBootSet(staged, { kernelPath: join(root, 'kernel') }, never);
  const { boot: published } = await folders.publish(staged, IMAGE);
  expect(published).toEqual({ kernelPath: join(root, 'state/images', IMAGE, 'kernel') });
  expect(await folders.readPackages(IMAGE)).toEqual([]);
});

test('what an interrupted publication left is replaced', async () => {
  await mkdir(join(root, 'state/images', IMAGE), { recursive: true });
  await writeFile(join(root, 'state/images', IMAGE, 'torn'), '');
  const staged = await folders.stage(IMAGE);
  await writeFile(staged.rootfsPath, 'whole');
  await folders.publish(staged, IMAGE);
  expect(await readdir(join(root, 'state/images', IMAGE))).toEqual(['rootfs.ext4']);
});

test('discards and keeps', async () => {
  const staged = await folders.stage(IMAGE);
  await writeFile(staged.rootfsPath, 'failed');
  const kept = await folders.keepFailed(IMAGE);
  expect(await readFile(join(kept, 'rootfs.ext4'), 'utf8')).toBe('failed');
  await folders.stage(OTHER);
  await folders.discard(OTHER);
  await folders.discard(OTHER);
  expect(await folders.listStaged()).toEqual([]);
});

test('only folders that are called by our ids are listed, and so removed', async () => {
  const foreign = [
    'notes',
    'img-1',
    `${IMAGE}-old`,
    'img-00000000AA',
    'img-00000000ag',
    'op-0123456789',
    'vm-00000000aa',
  ];
  for (const place of ['images', 'staging']) {
    for (const name of [...foreign, IMAGE, 'tmp-00000000aa']) {
      await mkdir(join(root, 'state', place, name), { recursive: true });
    }
    await writeFile(join(root, 'state', place, OTHER), '');
  }
  expect(await folders.list()).toEqual([IMAGE]);
  expect((await folders.listStaged()).toSorted()).toEqual([IMAGE, 'tmp-00000000aa']);
});

test('a key is one plain name, and a link in the place of a folder is not followed', async () => {
  for (const key of ['../images', '', '.', 'a/b', '/etc', 'A']) {
    await expect(folders.stage(key)).rejects.toMatchObject({ code: 'INTERNAL' });
    await expect(folders.discard(key)).rejects.toMatchObject({ code: 'INTERNAL' });
    await expect(folders.remove(key)).rejects.toMatchObject({ code: 'INTERNAL' });
    await expect(folders.keepFailed(key)).rejects.toMatchObject({ code: 'INTERNAL' });
  }
  await folders.stage(IMAGE);
  await symlink(modules, join(root, 'state/staging', OTHER));
  expect(await folders.listStaged()).toEqual([IMAGE]);
  await folders.discard(OTHER);
  expect(await readdir(modules)).toContain('modules.dep');
  const foreign = await folders.stage('img-00000000cc');
  await expect(folders.publish({ ...foreign, dir: join(root, 'elsewhere') }, IMAGE)).rejects.toThrow('ENOENT');
});

test('missing files are named, and an abort ends the copying', async () => {
  const staged = await folders.stage(IMAGE);
  const missing = join(root, 'nosuch');
  await expect(folders.copyBootSet(staged, { kernelPath: missing }, never)).rejects.toMatchObject({
    code: 'IMAGE_FILES_MISSING',
    message: expect.stringContaining(missing),
  });
  await expect(folders.assertReadable([join(root, 'kernel'), missing])).rejects.toMatchObject({
    code: 'IMAGE_FILES_MISSING',
    message: expect.stringContaining(missing),
  });
  const controller = new AbortController();
  const copying = folders.copyBootSet(staged, boot(), controller.signal);
  controller.abort(new AppError('OPERATION_CANCELLED', 'cancelled by the test'));
  await expect(copying).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' });
});
