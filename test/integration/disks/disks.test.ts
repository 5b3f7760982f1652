import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, open, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createDisks } from '../../../src/adapters/disks/disks.ts';
import { run } from '../../../src/host/process.ts';

const MIB = 2 ** 20;
const never = new AbortController().signal;

let root: string;
let base: string;
let disk: string;
const disks = (): ReturnType<typeof createDisks> => createDisks({ tempDir: join(root, 'temp') });

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'banger-disks-'));
  base = join(root, 'base.ext4');
  const tree = join(root, 'tree');
  await mkdir(join(tree, 'etc'), { recursive: true });
  await mkdir(join(tree, 'usr/lib'), { recursive: true });
  // A folder large enough to have a hashed index.
  await mkdir(join(tree, 'many'));
  await Promise.all(Array.from({ length: 3000 }, (_, n) => writeFile(join(tree, 'many', `file-${n}`), `${n}`)));
  await writeFile(join(tree, 'etc/hostname'), 'old\n', { mode: 0o644 });
  await writeFile(join(tree, 'usr/lib/os-release'), 'ID=debian\n');
  await run(['ln', '-s', '../usr/lib/os-release', join(tree, 'etc/os-release')]);
  await run(['ln', '-s', '/run/stub-resolv.conf', join(tree, 'etc/resolv.conf')]);
  await run(['ln', '-s', `/${'long/'.repeat(20)}../..${'/..'.repeat(18)}/etc/hostname`, join(tree, 'etc/slow')]);
  await run(['ln', '-s', '/etc/loop', join(tree, 'etc/loop')]);
  await run(['ln', '-s', 'usr/lib', join(tree, 'lib')]);
  await truncate(await touch(base), 64 * MIB);
  await run(['mkfs.ext4', '-q', '-F', '-d', tree, base]);
});

afterAll(async () => {
  await rm(root, { recursive: true, force: true });
});

beforeEach(async () => {
  disk = join(root, 'disk.ext4');
  await rm(disk, { force: true });
  await disks().clone(base, disk, never);
});

async function touch(path: string): Promise<string> {
  await writeFile(path, '');
  return path;
}

async function expectSound(path: string): Promise<void> {
  const { exitStatus, stdout } = await run(['e2fsck', '-fn', path], { okStatuses: [0, 1, 2, 4, 8, 12] });
  expect({ exitStatus, stdout }).toMatchObject({ exitStatus: 0, stdout: expect.any(String) });
}

async function guestStat(path: string): Promise<string> {
  return (await run(['debugfs', '-R', `stat "${path}"`, disk])).stdout;
}

const text = async (path: string): Promise<string | undefined> => {
  const content = await disks().readFile(disk, path);
  return content && Buffer.from(content).toString();
};

test('inspect reads sizes without starting a program', async () => {
  const facts = await disks().inspect(base);
  expect(facts.sizeBytes).toBe(64 * MIB);
  expect(facts.usedBytes).toBeGreaterThan(3000 * 4096);
  expect(facts.usedBytes).toBeLessThan(32 * MIB);
});

test('inspect refuses other files, saying what they are', async () => {
  const other = join(root, 'other');
  await writeFile(other, 'hello\n');
  await expect(disks().inspect(other)).rejects.toMatchObject({
    code: 'ROOTFS_INVALID',
    message: expect.stringContaining('a text file'),
  });
  await expect(disks().inspect(root)).rejects.toMatchObject({ code: 'ROOTFS_INVALID' });
  await expect(disks().inspect(join(root, 'missing'))).rejects.toMatchObject({ code: 'IMAGE_FILES_MISSING' });
  await truncate(disk, 32 * MIB);
  await expect(disks().inspect(disk)).rejects.toMatchObject({
    code: 'ROOTFS_INVALID',
    message: expect.stringContaining('cut off'),
  });
});

test('clone keeps content and holes, is private, and never overwrites', async () => {
  const target = join(root, 'clone.ext4');
  await chmod(base, 0o444);
  try {
    await disks().clone(base, target, never);
  } finally {
    await chmod(base, 0o600);
  }
  expect((await stat(target)).mode & 0o777).toBe(0o600);
  expect(await disks().digest(target, never)).toBe(await disks().digest(base, never));
  expect(await disks().allocatedBytes(target)).toBeLessThan(48 * MIB);
  await expect(disks().clone(base, target, never)).rejects.toMatchObject({ code: 'EEXIST' });
  await rm(target);
});

test('an aborted clone leaves nothing', async () => {
  const target = join(root, 'aborted.ext4');
  const controller = new AbortController();
  const cloning = disks().clone(base, target, controller.signal);
  controller.abort();
  await expect(cloning).rejects.toMatchObject({ name: 'ProcessError' });
  expect(await readdir(root)).not.toContain('aborted.ext4');
});

test('writes files, parents and symlinks into a sound filesystem', async () => {
  const binary = Buffer.from(Array.from({ length: 70_000 }, (_, n) => (n * 7) % 256));
  await disks().writeFiles(
    disk,
    {
      files: [
        { path: '/etc/hostname', content: 'new\n', mode: 0o644 },
        { path: '/etc/resolv.conf', content: 'nameserver 192.0.2.1\n', mode: 0o644 },
        { path: '/root/.ssh/authorized_keys', content: 'ssh-ed25519 AAAA', mode: 0o600 },
        { path: '/lib/systemd/system/a b.service', content: binary, mode: 0o4755 },
        { path: '/many/file-x', content: 'x', mode: 0o600 },
        { path: '/many/file-17', content: 'replaced', mode: 0o600 },
      ],
      symlinks: [
        { path: '/etc/systemd/system/multi-user.target.wants/a.service', target: '/lib/systemd/system/a b.service' },
        { path: '/etc/os-release', target: '/etc/hostname' },
      ],
    },
    never,
  );
  await expectSound(disk);
  expect(await text('/etc/hostname')).toBe('new\n');
  expect(await text('/etc/resolv.conf')).toContain('192.0.2.1');
  expect(await guestStat('/etc/resolv.conf')).toContain('Type: regular');
  expect(await guestStat('/root/.ssh/authorized_keys')).toMatch(/Mode: {2}0600[\s\S]*User: +0 +Group: +0/);
  expect(await guestStat('/root/.ssh')).toMatch(/Type: directory +Mode: {2}0755/);
  expect(await disks().readFile(disk, '/usr/lib/systemd/system/a b.service')).toEqual(binary);
  expect(await guestStat('/usr/lib/systemd/system/a b.service')).toContain('Mode:  04755');
  expect(await disks().readFile(disk, '/etc/systemd/system/multi-user.target.wants/a.service')).toEqual(binary);
  expect(await text('/etc/os-release')).toBe('new\n');
  expect(await text('/many/file-17')).toBe('replaced');
  expect(await text('/many/file-18')).toBe('18');
  expect(await readdir(join(root, 'temp'))).toEqual([]);
  expect((await stat(join(root, 'temp'))).mode & 0o777).toBe(0o700);
});

test('writing twice is writing once', async () => {
  const entries = {
    files: [{ path: '/etc/new/file', content: 'a', mode: 0o600 }],
    symlinks: [{ path: '/etc/new/link', target: `/${'t'.repeat(100)}` }],
  };
  await disks().writeFiles(disk, entries, never);
  const { usedBytes } = await disks().inspect(disk);
  await disks().writeFiles(disk, entries, never);
  expect((await disks().inspect(disk)).usedBytes).toBe(usedBytes);
  await expectSound(disk);
});

test('a folder in the place of a file, and a full filesystem, are failures', async () => {
  await expect(
    disks().writeFiles(disk, { files: [{ path: '/usr/lib', content: '', mode: 0o600 }] }, never),
  ).rejects.toMatchObject({ code: 'ROOTFS_INVALID' });
  await expect(
    disks().writeFiles(disk, { files: [{ path: '/etc/hostname/below', content: '', mode: 0o600 }] }, never),
  ).rejects.toMatchObject({ code: 'ROOTFS_INVALID' });
  await expectSound(disk);
  const large = Buffer.alloc(80 * MIB, 1);
  await expect(
    disks().writeFiles(disk, { files: [{ path: '/large', content: large, mode: 0o600 }] }, never),
  ).rejects.toMatchObject({ code: 'DISK_FULL' });
});

test('reads through symlinks, and tells what cannot be read', async () => {
  expect(await text('/etc/os-release')).toBe('ID=debian\n');
  expect(await text('/lib/os-release')).toBe('ID=debian\n');
  expect(await text('/etc/slow')).toBe('old\n');
  expect(await text('/etc/loop')).toBeUndefined();
  expect(await text('/etc/nosuch')).toBeUndefined();
  expect(await text('/etc/hostname/below')).toBeUndefined();
  await expect(disks().readFile(disk, '/etc')).rejects.toMatchObject({ code: 'ROOTFS_INVALID' });
  await expect(disks().readFile(disk, '/etc/"x')).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
});

test('grows, does nothing for the same size, and never shrinks', async () => {
  await disks().grow(disk, 200 * MIB, never);
  expect((await disks().inspect(disk)).sizeBytes).toBe(200 * MIB);
  await expectSound(disk);
  expect(await text('/many/file-2999')).toBe('2999');
  const { mtimeMs } = await stat(disk);
  await disks().grow(disk, 200 * MIB, never);
  expect((await stat(disk)).mtimeMs).toBe(mtimeMs);
  await expect(disks().grow(disk, 100 * MIB, never)).rejects.toMatchObject({
    code: 'SIZE_INVALID',
    message: expect.stringMatching(/100M.*200M/),
  });
});

test('check mends a filesystem that was in use, and says when nothing can mend it', async () => {
  await patch(disk, 1024 + 0x3a, Buffer.from([0, 0]));
  await disks().check(disk, never);
  await expectSound(disk);
  // Superblocks, group descriptors and inode tables: the first 40 MiB, backups included.
  await patch(disk, 0, Buffer.alloc(64 * MIB, 0xa5));
  await expect(disks().check(disk, never)).rejects.toMatchObject({
    code: 'ROOTFS_INVALID',
    details: { words: expect.stringContaining('superblock') },
  });
});

test('a filesystem that was in use is mended before it is written to', async () => {
  await patch(disk, 1024 + 0x3a, Buffer.from([0, 0]));
  await disks().writeFiles(disk, { files: [{ path: '/etc/hostname', content: 'x', mode: 0o644 }] }, never);
  await expectSound(disk);
  expect(await text('/etc/hostname')).toBe('x');
});

test('the digest is that of the whole file, and can be aborted', async () => {
  const file = join(root, 'digest');
  const content = Buffer.alloc(5 * MIB + 123, 'banger');
  await writeFile(file, content);
  expect(await disks().digest(file, never)).toBe(`sha256:${createHash('sha256').update(content).digest('hex')}`);
  await expect(disks().digest(file, AbortSignal.abort())).rejects.toMatchObject({ name: 'AbortError' });
});

test('a disk without room is told before anything is written', async (context) => {
  const small = join(root, 'small');
  await mkdir(small);
  await using mounted = await mountTmpfs(small, '64m');
  if (!mounted.ok) return context.skip('cannot mount a tmpfs here');
  await expect(disks().clone(base, join(small, 'disk.ext4'), never)).rejects.toMatchObject({
    code: 'DISK_FULL',
    message: expect.stringMatching(/needs .*M, and .*M is free/),
  });
  expect(await readdir(small)).toEqual([]);
  expect(await disks().freeBytes(small)).toBeLessThanOrEqual(64 * MIB);
});

test('a disk that becomes full on the way is told as such', async (context) => {
  const small = join(root, 'filled');
  await mkdir(small);
  await using mounted = await mountTmpfs(small, '40m');
  if (!mounted.ok) return context.skip('cannot mount a tmpfs here');
  const image = join(small, 'disk.ext4');
  await run(['cp', '--sparse=always', disk, image]);
  await writeFile(join(small, 'filler'), Buffer.alloc(1));
  await run(['dd', 'if=/dev/zero', `of=${join(small, 'filler')}`, 'bs=4096'], { okStatuses: [0, 1] });
  const content = Buffer.alloc(20 * MIB, 1);
  await expect(
    disks().writeFiles(image, { files: [{ path: '/large', content, mode: 0o600 }] }, never),
  ).rejects.toMatchObject({ code: 'DISK_FULL' });
});

async function patch(path: string, position: number, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'r+');
  await file.write(bytes, 0, bytes.length, position);
  await file.close();
}

async function mountTmpfs(dir: string, size: string): Promise<AsyncDisposable & { ok: boolean }> {
  const { exitStatus } = await run(['mount', '-t', 'tmpfs', '-o', `size=${size}`, 'banger-test', dir], {
    okStatuses: [0, 1, 32],
  });
  return {
    ok: exitStatus === 0,
    async [Symbol.asyncDispose]() {
      if (exitStatus === 0) await run(['umount', dir]);
    },
  };
}
