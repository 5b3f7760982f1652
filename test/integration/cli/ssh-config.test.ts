/** The system's own ssh, led to VMs by `banger ssh-config`. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { run, type RunResult } from '../../../src/host/process.ts';
import { type DaemonHome, makeDaemonHome, needRoot } from '../../support/daemon-home.ts';

const ANY_STATUS = Array.from({ length: 256 }, (_, status) => status);

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

beforeEach(needRoot);

/** As a user would call it, but for the place of the config, which ssh takes from the account's home. */
function ssh(program: 'ssh' | 'scp', ...args: readonly string[]): Promise<RunResult> {
  const config = join(home.dir, '.ssh', 'config');
  const env = { BANGER_HOME: undefined, SHELL: '/bin/sh', HOME: home.dir };
  return run([program, '-F', config, ...args], { env, okStatuses: ANY_STATUS, timeoutMs: 30_000 });
}

test('ssh and scp reach a VM by its name, and only that VM; a daemon that does not run is started', async () => {
  await mkdir(join(home.dir, '.ssh'), { mode: 0o700 });
  await writeFile(join(home.dir, '.ssh', 'config'), 'Host *\n  ForwardAgent yes\n  User nobody\n', { mode: 0o600 });
  expect((await home.banger('ssh-config')).stdout).toContain('Host *.vm\n');
  expect(await readdir(join(home.dir, '.ssh'))).toEqual(['config']);
  expect((await home.banger('ssh-config', '--install')).stdout).toContain('includes banger');
  await home.perform('vmCreate', { body: { name: 'box', image: 'tiny' } });
  await home.perform('vmCreate', { body: { name: 'other', image: 'tiny' } });

  expect(await ssh('ssh', 'box.vm', 'hostname; id -un; echo "[$SSH_AUTH_SOCK]"')).toMatchObject({
    stdout: 'box\nroot\n[]\n',
    exitStatus: 0,
  });
  expect((await ssh('ssh', 'OTHER.vm', 'hostname')).stdout).toBe('other\n');
  await writeFile(join(home.dir, 'file'), 'content');
  // By its older protocol: these guests' sshd has no sftp.
  expect(await ssh('scp', '-O', join(home.dir, 'file'), 'box.vm:/root/file')).toMatchObject({ exitStatus: 0 });
  expect(await ssh('scp', '-O', 'box.vm:/root/file', join(home.dir, 'back'))).toMatchObject({ exitStatus: 0 });
  expect(await readFile(join(home.dir, 'back'), 'utf8')).toBe('content');
  expect((await ssh('ssh', '--', 'nosuch.vm', 'true')).stderr).toContain('There is no VM "nosuch"');

  await home.banger('daemon', 'stop');
  expect((await ssh('ssh', 'box.vm', 'hostname')).stdout).toBe('box\n');

  // Another VM under the name has another key, which is known as soon as it is there; the old one is not.
  const hosts = () => readFile(home.paths.vmHosts, 'utf8');
  const before = await hosts();
  await home.perform('vmDelete', { params: { name: 'box' } });
  await expect.poll(hosts).not.toContain('box.vm ');
  await home.perform('vmCreate', { body: { name: 'box', image: 'tiny' } });
  expect((await ssh('ssh', 'box.vm', 'hostname')).stdout).toBe('box\n');
  await writeFile(home.paths.vmHosts, before);
  expect((await ssh('ssh', 'box.vm', 'hostname')).stderr).toContain('Host key verification failed');

  expect((await home.banger('ssh-config', '--uninstall')).exitStatus).toBe(0);
  expect(await readFile(join(home.dir, '.ssh', 'config'), 'utf8')).toBe('Host *\n  ForwardAgent yes\n  User nobody\n');
}, 120_000);

test('only one of the flags', async () => {
  expect(await home.banger('ssh-config', '--install', '--uninstall')).toMatchObject({ exitStatus: 2 });
});
