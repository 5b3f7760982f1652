import { chown, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { createHostFiles } from '../../../src/adapters/file-sync/host-files.ts';
import { makeTempDir } from '../../support/temp-dir.ts';

const uid = process.getuid?.() ?? 0;

let dir: string;
let home: string;

beforeEach(async () => {
  dir = await makeTempDir();
  home = join(dir, 'home');
  await mkdir(join(home, 'dotfiles'), { recursive: true });
});

const read = (host: string, guest = '~/x') =>
  createHostFiles({ entries: [{ host, guest, mode: 0o640 }], home, uid }).read();

test('what is there is read, through links within the home; what is not is named', async () => {
  await writeFile(join(home, 'dotfiles', 'gitconfig'), Buffer.from([0, 255, 10]));
  await symlink('dotfiles/gitconfig', join(home, '.gitconfig'));
  const file = { path: '/root/.config/x', content: Buffer.from([0, 255, 10]), mode: 0o640 };
  expect(await read('~/.gitconfig', '~/.config/x')).toEqual({ files: [file], missing: [] });
  expect(await read(join(home, '.gitconfig'), '/root/.config/x')).toEqual({ files: [file], missing: [] });
  expect(await read('~/nosuch')).toEqual({ files: [], missing: ['~/nosuch'] });
  await symlink('nowhere', join(home, 'broken'));
  expect(await read('~/broken')).toEqual({ files: [], missing: ['~/broken'] });
  expect(await read('~/.gitconfig/below')).toEqual({ files: [], missing: ['~/.gitconfig/below'] });
});

test('refused, without a word of what is in it', async () => {
  await writeFile(join(dir, 'outside'), 'precious');
  await symlink(join(dir, 'outside'), join(home, 'link'));
  await symlink(dir, join(home, 'way'));
  await writeFile(join(home, 'large'), 'precious'.repeat(200_000));
  for (const [path, words] of [
    ['~/link', /outside the home/],
    ['~/way/outside', /outside the home/],
    ['~/dotfiles', /not a file/],
    ['~/large', /larger than 1M/],
  ] as const) {
    const refused = read(path);
    await expect(refused).rejects.toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringMatching(words) });
    await expect(refused).rejects.not.toMatchObject({ message: expect.stringContaining('precious') });
  }
});

test('another user’s file is refused', async (context) => {
  if (uid !== 0) context.skip('only root can give a file away');
  await writeFile(join(home, 'theirs'), 'x');
  await chown(join(home, 'theirs'), 65_534, 65_534);
  await expect(read('~/theirs')).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringContaining('belongs to uid 65534'),
  });
});
