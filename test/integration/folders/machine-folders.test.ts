import { appendFile, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createMachineFolders } from '../../../src/adapters/folders/machine-folders.ts';
import type { MachineFolders, MachineRuntime } from '../../../src/core/vms/ports.ts';

const ID = 'vm-0123456789';

const runtime: MachineRuntime = {
  startedAt: '2026-01-02T03:04:05.000Z',
  identity: {
    engine: 'qemu',
    accelerator: 'tcg',
    pid: 42,
    startTimeTicks: 4711,
    bootId: 'b0',
    controlSocketPath: '/run/x.sock',
  },
};

let root: string;
let folders: MachineFolders;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'banger-vms-'));
  folders = createMachineFolders({ vmsDir: join(root, 'vms'), machinesDir: join(root, 'run') });
});

afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

test('makes both folders private, lists and removes them', async () => {
  const folder = await folders.create(ID);
  expect(folder).toEqual({
    diskPath: join(root, 'vms', ID, 'disk.ext4'),
    consolePath: join(root, 'vms', ID, 'console.log'),
    vmmLogPath: join(root, 'vms', ID, 'vmm.log'),
    controlSocketPath: join(root, 'run', ID, 'qmp.sock'),
    agentSocketPath: join(root, 'run', ID, 'agent.sock'),
  });
  expect(folders.locate(ID)).toEqual(folder);
  for (const dir of ['vms', 'run']) expect((await stat(join(root, dir, ID))).mode & 0o777).toBe(0o700);
  await rm(join(root, 'run', ID), { recursive: true });
  expect(await folders.list()).toEqual([ID]);
  await folders.ensureRunDir(ID);
  expect(await readdir(join(root, 'run'))).toEqual([ID]);
  await folders.remove(ID);
  await folders.remove(ID);
  expect(await folders.list()).toEqual([]);
});

test('only folders that are called by a VM’s id are listed, and so removed', async () => {
  await folders.create(ID);
  for (const place of ['vms', 'run']) {
    for (const name of ['backup', 'vm-1', `${ID}-old`, 'vm-012345678G', 'img-0123456789'])
      await mkdir(join(root, place, name));
  }
  expect(await folders.list()).toEqual([ID]);
});

test('keeps what runs in a file that is whole or absent', async () => {
  await folders.create(ID);
  expect(await folders.readRuntime(ID)).toBeUndefined();
  await folders.writeRuntime(ID, runtime);
  expect(await folders.readRuntime(ID)).toEqual(runtime);
  await folders.clearRuntime(ID);
  await folders.clearRuntime(ID);
  expect(await readdir(join(root, 'vms', ID))).toEqual([]);
});

test.each([
  ['torn', '{"version":1,"iden'],
  ['empty', ''],
  ['of no version', JSON.stringify(runtime)],
  ['of ours, with a part missing', JSON.stringify({ version: 1, startedAt: runtime.startedAt })],
  ['of a version that never was', JSON.stringify({ version: 0, ...runtime })],
  ['no record at all', '[2]'],
])('a record that is %s is none', async (_, text) => {
  await folders.create(ID);
  await writeFile(join(root, 'vms', ID, 'runtime.json'), text);
  expect(await folders.readRuntime(ID)).toBeUndefined();
});

test.each([
  ['as ours are', JSON.stringify({ version: 2, ...runtime })],
  ['as nobody knows yet', '{"version":7,"machines":[]}'],
])('a newer banger’s record, made %s, is told from none, with its version and place', async (_, text) => {
  await folders.create(ID);
  const path = join(root, 'vms', ID, 'runtime.json');
  await writeFile(path, text);
  expect(await folders.readRuntime(ID)).toEqual({
    newerVersion: (JSON.parse(text) as { version: number }).version,
    path,
  });
});

test('refuses a place where no socket fits, before anything is made', async () => {
  const deep = join(root, 'x'.repeat(90));
  const tooDeep = createMachineFolders({ vmsDir: join(root, 'vms'), machinesDir: deep });
  await expect(tooDeep.create(ID)).rejects.toMatchObject({ code: 'PATH_TOO_LONG' });
  expect(await readdir(root)).toEqual([]);
});

test('leaves no folder behind where the second cannot be made', async () => {
  await mkdir(join(root, 'run', ID), { recursive: true });
  await expect(folders.create(ID)).rejects.toMatchObject({ code: 'EEXIST' });
  expect(await readdir(join(root, 'vms'))).toEqual([]);
});

test.each(['../x', '', '.', 'a/b', '/etc'])('refuses the id %j', async (id) => {
  await expect(folders.create(id)).rejects.toMatchObject({ code: 'INTERNAL' });
  await expect(folders.remove(id)).rejects.toMatchObject({ code: 'INTERNAL' });
});

test('shows the console’s last lines, however long it is', async () => {
  expect(await folders.consoleTail(ID, 3)).toEqual([]);
  const { consolePath } = await folders.create(ID);
  await writeFile(consolePath, '');
  expect(await folders.consoleTail(ID, 3)).toEqual([]);
  await writeFile(consolePath, 'x'.repeat(300_000));
  await appendFile(consolePath, '\r\n\u001b[31mred\u001b[0m\r\n\r\nlast\u0007');
  expect(await folders.consoleTail(ID, 2)).toEqual(['red', String.raw`last\x07`]);
  const [long] = await folders.consoleTail(ID, 3);
  expect(long?.length).toBeLessThan(64 * 1024);
});
