/** What a start of the daemon finds on the machine, and what it makes of it. */
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type DaemonHome, makeDaemonHome, needRoot } from '../../support/daemon-home.ts';

let home: DaemonHome;

beforeAll(async () => {
  if (process.getuid?.() !== 0) return;
  home = await makeDaemonHome();
  await home.start();
  await home.perform('imageRegister', { params: { name: 'tiny' }, body: home.image });
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

test('folders of ours that no record speaks of go; a user’s own stay, wherever they lie', async () => {
  const { imagesDir, stagingDir, vmsDir, machinesDir, operationsDir } = home.paths;
  const ours = [
    join(imagesDir, 'img-0123456789'),
    join(stagingDir, 'img-0123456789'),
    join(stagingDir, 'tmp-0123456789'),
    join(vmsDir, 'vm-0123456789'),
    join(machinesDir, 'vm-0123456789'),
    join(operationsDir, 'op-0123456xyz'),
  ];
  const theirs = [imagesDir, stagingDir, vmsDir, machinesDir, operationsDir].flatMap((dir) =>
    ['backup', 'img-1', 'vm-0123456789-old', 'op-1'].map((name) => join(dir, name)),
  );
  for (const dir of [...ours, ...theirs]) {
    await mkdir(dir, { recursive: true });
    await writeFile(join(dir, 'file'), 'content');
  }
  await home.crash();
  await home.start();
  for (const dir of theirs) expect((await stat(join(dir, 'file'))).isFile(), dir).toBe(true);
  for (const dir of ours) await expect(stat(dir), dir).rejects.toMatchObject({ code: 'ENOENT' });
});
