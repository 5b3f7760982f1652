/** `vm run PATH`, `vm export` and leases, through the real daemon into fake guests. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { holdLease } from '../../../src/client/lease.ts';
import type { Vm } from '../../../src/contracts/vm.ts';
import { type DaemonHome, makeDaemonHome, needRoot } from '../../support/daemon-home.ts';
import { makeTestRepository, type TestRepository } from '../../support/git-repository.ts';
import type { HostState } from '../../support/host-state.ts';

/** A lease is waited for three seconds instead of a minute. */
const TIMEOUT_SCALE = 0.05;

let home: DaemonHome;
let before: HostState;
let repo: TestRepository;

beforeAll(async () => {
  if (process.getuid?.() !== 0) return;
  home = await makeDaemonHome({ timeoutScale: TIMEOUT_SCALE });
  before = await home.begin();
});

afterAll(async () => {
  await home?.[Symbol.asyncDispose]();
});

beforeEach(async (context) => {
  needRoot(context);
  home.guest.setPlan({});
  home.qemu.setPlan({ guestScript: home.guest.script });
  // What a test that failed has left must not fail the others.
  await home.start();
  for (const { name } of await vms()) await home.perform('vmDelete', { params: { name } });
  await rm(join(home.dir, 'work'), { recursive: true, force: true });
  await mkdir(join(home.dir, 'work'));
  repo = await makeTestRepository(join(home.dir, 'work', 'my project'));
});

const banger = (...args: readonly string[]) => home.launch(args, { cwd: repo.dir }).ended;
const vms = async (): Promise<readonly Vm[]> => home.client.call('vmList', {});
const gone = () => expect.poll(vms, { timeout: 20_000 }).toEqual([]);

describe('a repository', () => {
  test('goes in, is worked on, and comes out again', async () => {
    await repo.write('sub/changed', 'before\n');
    repo.git('add', '--all');
    await repo.write('untracked', 'stays');
    const script = [
      'pwd; ls -A .. | sort | xargs; git log --format=%s',
      'git config user.name',
      'echo inside >> changed && git commit --quiet --all --message=inside && echo more > new',
    ].join('\n');
    const ran = await banger('vm', 'run', '--name', 'box', '--image', 'tiny', 'sub', '--', script);
    expect(ran.stdout).toBe(
      ['/root/my project/sub', '.git README sub', 'Work tree as it came from the host', 'first', 'Ann Author', ''].join(
        '\n',
      ),
    );
    expect(ran.status).toBe(0);
    expect(ran.stderr).toContain('`banger vm export box`');
    const { workspace } = await home.client.call('vmShow', { params: { name: 'box' } });
    expect(workspace).toMatchObject({ guestPath: '/root/my project' });

    // A command begins where the work is.
    expect((await banger('vm', 'exec', 'box', '--', 'pwd')).stdout).toBe('/root/my project\n');
    const exported = await banger('vm', 'export', 'box', '-o', 'box.patch');
    expect(exported).toMatchObject({ status: 0, stdout: '' });
    repo.git('apply', '--check', 'box.patch');
    repo.git('apply', 'box.patch');
    expect(await readFile(join(repo.dir, 'sub/changed'), 'utf8')).toBe('before\ninside\n');
    expect(await readFile(join(repo.dir, 'sub/new'), 'utf8')).toBe('more\n');
    const mails = await banger('vm', 'export', 'box', '--commits');
    expect(mails.stdout).toMatch(/^From [^]*Subject: \[PATCH\] inside[^]*Changes that were not committed/);

    // A daemon that was started anew knows it still.
    await home.banger('daemon', 'stop');
    const again = await banger('vm', 'export', 'box', '--json', '-o', 'again.patch');
    expect(JSON.parse(again.stdout)).toMatchObject({ base: workspace?.base, form: 'diff' });
    expect(await readFile(join(repo.dir, 'again.patch'))).toEqual(await readFile(join(repo.dir, 'box.patch')));
    await home.perform('vmDelete', { params: { name: 'box' } });
    await home.expectState(before);
  }, 120_000);

  test('--dry-run lists what would go and makes nothing', async () => {
    await repo.write('.gitignore', 'secret\n');
    await repo.write('secret', 'x');
    await repo.write('large', 'x'.repeat(5000));
    repo.git('add', '.gitignore');
    const plain = await banger('vm', 'run', '--dry-run', '--include-untracked', '.');
    expect(plain.stdout).toMatch(/SIZE +FILE\n *7B +\.gitignore\n *6B +README\n *4\.9K +large +untracked\n$/);
    expect(plain.stderr).toContain('3 files, 4.9K, and 1 commit (');
    const { stdout } = await banger('vm', 'run', '--dry-run', '--json', '.');
    expect(JSON.parse(stdout)).toMatchObject({ totalBytes: 13, guestPath: '/root/my project', deleted: [] });
    expect(await vms()).toEqual([]);
  });

  test.each([
    [['--dry-run'], 2, '--dry-run needs the path'],
    [['--include-untracked', '--', 'true'], 2, '--include-untracked needs the path'],
    [['/tmp', '--', 'true'], 1, '/tmp is in no git work tree'],
    [['nosuch', '--', 'true'], 1, 'nosuch does not exist'],
  ])('refused before a VM is made: %j', async (args, status, words) => {
    const ended = await banger('vm', 'run', '--image', 'tiny', ...args);
    expect(ended.stderr).toContain(words);
    expect(ended.status).toBe(status);
    expect(await vms()).toEqual([]);
  });

  test('export where nothing was brought, or nothing is', async () => {
    await home.perform('vmCreate', { body: { name: 'box', image: 'tiny' } });
    expect(await banger('vm', 'export', 'box')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('no repository was brought into box'),
    });
    const nowhere = await banger('vm', 'export', 'box', '/nowhere', '-o', 'file');
    expect(nowhere.stderr).toContain('Nothing could be exported from /nowhere');
    expect(nowhere.status).toBe(1);
    await expect(readFile(join(repo.dir, 'file'))).rejects.toMatchObject({ code: 'ENOENT' });
    await home.perform('vmDelete', { params: { name: 'box' } });
  });
});

describe('a VM that is to be deleted afterwards goes too', () => {
  const run = (command: string) =>
    home.launch(['vm', 'run', '--rm', '--image', 'tiny', '--', command], { cwd: repo.dir, keepsInputOpen: true });

  test('when the command that runs it is killed', async () => {
    const running = run('echo up; exec cat');
    await running.prints('up');
    running.kill('SIGKILL');
    await gone();
    await home.expectState(before);
  });

  test('when that happens while it is being created', async () => {
    home.guest.setPlan({ silent: true });
    const running = run('true');
    await running.says('kernel: succeeded');
    running.kill('SIGKILL');
    await gone();
    await home.expectState(before);
  });

  test('when that happens while the daemon is away', async () => {
    const running = run('echo up; exec cat');
    await running.prints('up');
    await home.crash();
    running.kill('SIGKILL');
    await running.ended;
    await home.start();
    expect(await vms()).toHaveLength(1);
    await gone();
    await home.expectState(before);
  });

  test('when nobody holds its lease any more, and not while the daemon is away: the lease is taken up again', async () => {
    await home.perform('vmCreate', { body: { name: 'box', image: 'tiny', ephemeral: true, leased: true } });
    const session = { paths: home.paths, upgrade: home.client.upgrade.bind(home.client) };
    const lease = await holdLease(session, 'box');
    await home.crash();
    await home.start();
    // Longer than a VM without anybody would live.
    await delay(60_000 * TIMEOUT_SCALE + 2_000);
    expect(await vms()).toHaveLength(1);
    await lease[Symbol.asyncDispose]();
    await gone();
    await home.expectState(before);
  });

  test('when the daemon dies with the shell in it: the command deletes it itself', async () => {
    const running = run('echo up; exec cat');
    await running.prints('up');
    await home.crash();
    const ended = await running.ended;
    expect(ended.status, ended.stderr).toBe(255);
    expect(await vms()).toEqual([]);
    await home.expectState(before);
  });

  test('and so does one whose maker never came for it', async () => {
    await home.perform('vmCreate', { body: { name: 'orphan', image: 'tiny', ephemeral: true, leased: true } });
    expect(await vms()).toHaveLength(1);
    await gone();
    await home.expectState(before);
  });

  test('a lease of one that has none is refused', async () => {
    await home.perform('vmCreate', { body: { name: 'box', image: 'tiny' } });
    await expect(home.client.upgrade('vmLease', { name: 'box' })).rejects.toMatchObject({ code: 'VM_STATE_INVALID' });
    await home.perform('vmDelete', { params: { name: 'box' } });
  });
});

test('a workspace that does not arrive: the VM is told of, or goes', async () => {
  await writeFile(join(repo.dir, 'large'), Buffer.alloc(150 * 2 ** 20));
  repo.git('add', '--all');
  const ended = await banger('vm', 'run', '--rm', '--image', 'tiny', '.', '--', 'true');
  expect(ended.stderr).toMatch(/The guest could not take .*(No space|Wrote only)/);
  expect(ended.status).toBe(1);
  expect(await vms()).toEqual([]);
}, 120_000);
