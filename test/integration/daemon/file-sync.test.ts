/** Files of the user's, from the config into a guest's disk. */
import { chmod, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type DaemonHome, makeDaemonHome, needRoot } from '../../support/daemon-home.ts';

const SECRET = 'the-secret-of-a-test';

let home: DaemonHome;

beforeAll(async () => {
  if (process.getuid?.() !== 0) return;
  const entries = [
    ['~/.token', '~/.config/tool/token', '0400'],
    ['~/nosuch', '/root/nosuch', '0600'],
  ].map(([host, guest, mode]) => `[[file_sync]]\nhost = "${host}"\nguest = "${guest}"\nmode = "${mode}"\n`);
  home = await makeDaemonHome({ config: entries.join('') });
  await writeFile(join(home.dir, '.token'), SECRET);
  await home.start();
  await home.perform('imageRegister', { params: { name: 'tiny' }, body: home.image });
});

afterAll(async () => {
  await home?.[Symbol.asyncDispose]();
});

beforeEach(needRoot);

test('each new VM has them at its first boot; a missing one is told of; their contents are in no log', async () => {
  const created = await home.perform('vmCreate', { body: { name: 'box', image: 'tiny' } });
  expect(created.stages.find(({ name }) => name === 'personalise')).toMatchObject({ note: '1 of your files' });
  const { stdout } = await home.banger(
    'vm',
    'exec',
    'box',
    '--',
    'cd ~/.config/tool && stat -c "%a %U" token; cat token',
  );
  expect(stdout).toBe(`400 root\n${SECRET}`);
  expect((await home.banger('vm', 'exec', 'box', '--', 'ls ~/nosuch')).exitStatus).not.toBe(0);
  const log = await home.client.operationLog(created.id);
  expect(log).toContain('file_sync: ~/nosuch is not there, and left out');
  const logs = [log, await readFile(home.paths.daemonLog, 'utf8')];
  for (const entry of await readdir(home.paths.operationsDir, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) logs.push(await readFile(join(entry.parentPath, entry.name), 'utf8'));
  }
  expect(logs.join('\n')).not.toContain(SECRET);
  await home.perform('vmDelete', { params: { name: 'box' } });
});

test('one that must not go refuses the VM before anything is made', async () => {
  const before = await home.state();
  await home.banger('vm', 'list');
  await writeFile(join(home.dir, '.token'), 'x'.repeat(2 ** 20 + 1));
  const refused = await home.banger('vm', 'create', '--image', 'tiny');
  expect(refused.stderr).toContain('is larger than 1M');
  expect(refused.exitStatus).toBe(1);
  await home.expectState(before);
  await chmod(join(home.dir, '.token'), 0o600);
});
