import { chmod, chown, lstat, mkdir, readdir, readFile, readlink, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { installSshConfig, uninstallSshConfig } from '../../../src/client/ssh-config-file.ts';
import { makeTempDir } from '../../support/temp-dir.ts';

let dir: string;
let ownPath: string;
let userPath: string;

beforeEach(async () => {
  dir = await makeTempDir();
  ownPath = join(dir, 'state', 'ssh', 'config');
  userPath = join(dir, 'home', '.ssh', 'config');
});

const install = () => installSshConfig({ path: ownPath, text: 'Host *.vm\n' }, userPath);
const uninstall = () => uninstallSshConfig(ownPath, userPath);

/** Latin-1, a line without an end, and odd permission bits. */
const BYTES = Buffer.from([0x23, 0xe9, 0x0a, 0x48, 0x6f, 0x73, 0x74, 0x20, 0x78]);

async function write(path: string, mode: number): Promise<void> {
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, BYTES);
  await chmod(path, mode);
}

test('one that is there: a copy, one line more, its mode; twice changes nothing; taken out it is byte for byte as it was', async () => {
  await write(userPath, 0o640);
  const backupPath = `${userPath}.before-banger`;
  expect(await install()).toEqual({ path: userPath, changed: true, backupPath });
  expect(await readFile(backupPath)).toEqual(BYTES);
  expect((await stat(userPath)).mode & 0o7777).toBe(0o640);
  expect((await readFile(userPath, 'latin1')).split('\n')[1]).toBe(`Include "${ownPath}"`);
  expect((await stat(ownPath)).mode & 0o7777).toBe(0o600);
  const between = await readFile(userPath);
  expect(await install()).toEqual({ path: userPath, changed: false });
  expect(await readFile(userPath)).toEqual(between);
  expect(await uninstall()).toEqual({ path: userPath, changed: true });
  expect(await readFile(userPath)).toEqual(BYTES);
  expect((await stat(userPath)).mode & 0o7777).toBe(0o640);
  expect(await readdir(join(userPath, '..'))).toEqual(['config']);
  expect(await readdir(join(ownPath, '..'))).toEqual([]);
  expect(await uninstall()).toEqual({ path: userPath, changed: false });
});

test('one that is not there is made, for nobody else, and goes', async () => {
  expect(await install()).toMatchObject({ changed: true });
  expect((await stat(userPath)).mode & 0o7777).toBe(0o600);
  expect((await stat(join(userPath, '..'))).mode & 0o7777).toBe(0o700);
  await uninstall();
  expect(await readdir(join(userPath, '..'))).toEqual([]);
});

test('a link stays a link, and the file it leads to is changed', async () => {
  const real = join(dir, 'dotfiles', 'ssh config');
  await write(real, 0o600);
  await mkdir(join(userPath, '..'), { recursive: true });
  await symlink(real, userPath);
  expect(await install()).toMatchObject({ path: real, changed: true });
  expect(await readlink(userPath)).toBe(real);
  expect((await lstat(real)).isFile()).toBe(true);
  await uninstall();
  expect(await readFile(real)).toEqual(BYTES);
});

test('what the user changed meanwhile stays, and the copy with it', async () => {
  await write(userPath, 0o600);
  await install();
  await writeFile(userPath, Buffer.concat([await readFile(userPath), Buffer.from('\nHost mine\n')]));
  await uninstall();
  expect(await readFile(userPath)).toEqual(Buffer.concat([BYTES, Buffer.from('\nHost mine\n')]));
  expect(await readFile(`${userPath}.before-banger`)).toEqual(BYTES);
  // It is never written over.
  expect(await install()).toMatchObject({ backupPath: `${userPath}.before-banger-2` });
});

test('its owner stays its owner', async (context) => {
  if (process.getuid?.() !== 0) context.skip('only root can give a file away');
  await write(userPath, 0o600);
  await chown(userPath, 1234, 2345);
  await install();
  expect(await stat(userPath)).toMatchObject({ uid: 1234, gid: 2345 });
});

test('refused: a folder, and a link that leads nowhere', async () => {
  await mkdir(userPath, { recursive: true });
  await expect(install()).rejects.toMatchObject({ code: 'SSH_CONFIG_UNUSABLE' });
  userPath = join(dir, 'link');
  await symlink('nowhere', userPath);
  await expect(install()).rejects.toMatchObject({ code: 'SSH_CONFIG_UNUSABLE' });
  expect(await readlink(userPath)).toBe('nowhere');
});
