/** What a start of the daemon finds on the machine, and what it makes of it. */
import { mkdir, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { Vm } from '../../../src/contracts/vm.ts';
import { machineFiles } from '../../../src/host/paths.ts';
import { BUILD, type DaemonHome, makeDaemonHome, needRoot } from '../../support/daemon-home.ts';
import { isRunning } from '../../support/process-evidence.ts';

/** As a banger yet to come may write it. */
const NEWER_RECORD = '{"version":2,"machine":{"of":"another form"}}\n';

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
  onTestFinished(async () => {
    for (const dir of theirs) await rm(dir, { recursive: true });
  });
  for (const dir of [...ours, ...theirs]) {
    await mkdir(dir, { recursive: true });
    await writeFile(join(dir, 'file'), 'content');
  }
  await home.crash();
  await home.start();
  for (const dir of theirs) expect((await stat(join(dir, 'file'))).isFile(), dir).toBe(true);
  for (const dir of ours) await expect(stat(dir), dir).rejects.toMatchObject({ code: 'ENOENT' });
});

function filesOf(vmId: string): ReturnType<typeof machineFiles> {
  return machineFiles(join(home.paths.vmsDir, vmId), join(home.paths.machinesDir, vmId));
}

function show(name: string): Promise<Vm> {
  return home.client.call('vmShow', { params: { name } });
}

/** Starts the daemon anew while a VM's record says something else. @returns what it said before. */
async function restartWithRecord(vmId: string, text: string): Promise<string> {
  const { runtime } = filesOf(vmId);
  const own = await readFile(runtime, 'utf8');
  await home.crash();
  await writeFile(runtime, text);
  await home.start();
  return own;
}

async function logged(): Promise<string> {
  return readFile(home.paths.daemonLog, 'utf8');
}

describe('a VM with a runtime record that this banger does not understand', () => {
  test('goes on as it is, is shown as failed, and nothing can be asked of it', async () => {
    await home.perform('vmCreate', { body: { name: 'box', image: 'tiny' } });
    const running = await show('box');
    const { pid = 0, tapName } = running;
    const own = await restartWithRecord(running.id, NEWER_RECORD);

    expect(isRunning(pid)).toBe(true);
    expect(await show('box')).toMatchObject({
      state: 'failed',
      stateReason: expect.stringMatching(/newer banger .* version 2/),
    });
    expect(await logged()).toMatch(/"failed":\["VM box: A newer banger /);
    const refusal = {
      code: 'VM_STATE_INVALID',
      message: expect.stringContaining('newer banger'),
      hint: expect.stringContaining(filesOf(running.id).runtime),
    };
    const params = { name: 'box' };
    await expect(home.client.call('vmStart', { params })).rejects.toMatchObject(refusal);
    await expect(home.client.call('vmStop', { params })).rejects.toMatchObject(refusal);
    await expect(home.client.call('vmDelete', { params })).rejects.toMatchObject(refusal);
    await expect(home.client.call('vmSshAccess', { params })).rejects.toMatchObject(refusal);
    // Its network stays too, also when the daemon is stopped for good.
    expect(await home.banger('daemon', 'stop')).toMatchObject({ exitStatus: 0 });
    expect((await home.state()).links.some((link) => link.startsWith(`${tapName} `))).toBe(true);
    expect(await readFile(filesOf(running.id).runtime, 'utf8')).toBe(NEWER_RECORD);

    // The newer banger has it back as it was.
    await home.start();
    await restartWithRecord(running.id, own);
    expect(await show('box')).toEqual(running);
    expect(await home.banger('vm', 'ssh', 'box', '--', 'hostname')).toMatchObject({ stdout: 'box\n' });
    expect((await home.perform('vmDelete', { params })).error).toBeUndefined();
    expect(isRunning(pid)).toBe(false);
  });

  test('is a stopped VM again once its record was removed, as the hint says', async () => {
    await home.perform('vmCreate', { body: { name: 'box', image: 'tiny' } });
    const { id, pid = 0 } = await show('box');
    await restartWithRecord(id, NEWER_RECORD);
    process.kill(pid, 'SIGKILL');
    await expect.poll(() => isRunning(pid)).toBe(false);
    await rm(filesOf(id).runtime);
    await home.banger('daemon', 'stop');
    await home.start();
    expect((await show('box')).state).toBe('stopped');
    expect((await home.perform('vmStart', { params: { name: 'box' } })).error).toBeUndefined();
    await home.perform('vmDelete', { params: { name: 'box' } });
  });

  test('is left alone where it is a build’s too, with its disk in staging', async () => {
    home.guest.setPlan({ silent: true });
    const build = await home.client.call('imageBuild', { params: { name: 'dev' }, body: BUILD });
    await home.seen(
      build,
      (event) => event.type === 'stage' && event.stage.name === 'ssh' && event.stage.state === 'running',
    );
    const [vmId = ''] = await readdir(home.paths.vmsDir);
    const { pid } = (JSON.parse(await readFile(filesOf(vmId).runtime, 'utf8')) as { identity: { pid: number } })
      .identity;
    const [staged = ''] = await readdir(home.paths.stagingDir);
    const own = await restartWithRecord(vmId, NEWER_RECORD);
    expect(isRunning(pid)).toBe(true);
    expect(await readdir(home.paths.stagingDir)).toEqual([staged]);
    await restartWithRecord(vmId, own);
    expect(isRunning(pid)).toBe(false);
    expect(await readdir(home.paths.vmsDir)).toEqual([]);
    expect(await readdir(home.paths.stagingDir)).toEqual([]);
  });
});

test('a folder with such a record, of which the store knows nothing, is left alone', async () => {
  const id = 'vm-0123456789';
  await mkdir(join(home.paths.vmsDir, id));
  await writeFile(filesOf(id).runtime, NEWER_RECORD);
  await home.crash();
  await home.start();
  expect(await readdir(home.paths.vmsDir)).toEqual([id]);
  expect(await logged()).toMatch(/"failed":\["folder of vm-0123456789: A newer banger /);
  await rm(filesOf(id).runtime);
  await home.crash();
  await home.start();
  expect(await readdir(home.paths.vmsDir)).toEqual([]);
});

test('a VM whose record is torn: its VMM is known by its command line and ended, and it can be started', async () => {
  await home.perform('vmCreate', { body: { name: 'box', image: 'tiny' } });
  const { id, pid = 0 } = await show('box');
  await restartWithRecord(id, '{"version":1,"iden');
  expect(isRunning(pid)).toBe(false);
  expect((await show('box')).state).toBe('stopped');
  expect((await home.perform('vmStart', { params: { name: 'box' } })).error).toBeUndefined();
  await home.perform('vmDelete', { params: { name: 'box' } });
});

test('a VMM that runs and cannot be controlled keeps its VM from being touched', async () => {
  await home.perform('vmCreate', { body: { name: 'box', image: 'tiny' } });
  const { id, pid = 0 } = await show('box');
  const { controlSocket } = filesOf(id);
  // Its way in is gone while it runs: nobody can tell what it does.
  await home.crash();
  await rename(controlSocket, `${controlSocket}.away`);
  await home.start();
  expect(isRunning(pid)).toBe(true);
  expect(await show('box')).toMatchObject({ state: 'failed', stateReason: expect.stringContaining('control') });
  await expect(home.client.call('vmStart', { params: { name: 'box' } })).rejects.toMatchObject({
    code: 'VM_STATE_INVALID',
  });
  await home.crash();
  await rename(`${controlSocket}.away`, controlSocket);
  await home.start();
  expect(await show('box')).toMatchObject({ state: 'running', pid });
  await home.perform('vmDelete', { params: { name: 'box' } });
});
