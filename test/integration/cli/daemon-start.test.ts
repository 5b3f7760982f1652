import { existsSync, readFileSync } from 'node:fs';
import { appendFile, chmod, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { DaemonStatus } from '../../../src/contracts/daemon.ts';
import { type BangerCopy, copyBanger } from '../../support/banger-copy.ts';

const CHECKOUT = join(import.meta.dirname, '..', '..', '..');
const PROGRAM = readFileSync(join(CHECKOUT, 'test', 'fixtures', 'fake-daemon-program.ts'), 'utf8');

let banger: BangerCopy;

beforeEach(async () => {
  banger = await copyBanger({ daemonProgram: PROGRAM.replace('CHECKOUT', CHECKOUT) });
});
afterEach(async () => {
  await banger.run(['daemon', 'stop']);
  await banger[Symbol.asyncDispose]();
});

/** What the daemons wrote down, oldest first. */
function journal(): readonly string[] {
  const path = join(banger.home, 'journal');
  return existsSync(path) ? readFileSync(path, 'utf8').trimEnd().split('\n') : [];
}

async function status(): Promise<DaemonStatus & { readonly running: boolean }> {
  return JSON.parse((await banger.run(['daemon', 'status', '--json'])).stdout) as DaemonStatus & { running: boolean };
}

test('the first command starts the daemon, the next one finds it', async () => {
  expect(await banger.run(['vm', 'list', '--json'])).toMatchObject({ status: 0, stdout: '[]\n', stderr: '' });
  expect(await banger.run(['vm', 'list', '--json'])).toMatchObject({ status: 0, stdout: '[]\n', stderr: '' });
  expect(journal()).toEqual(['started']);
});

test('of many commands that come first together one daemon wins and all succeed', async () => {
  const results = await Promise.all(Array.from({ length: 4 }, () => banger.run(['vm', 'list', '--json'])));
  for (const result of results) expect(result).toMatchObject({ status: 0, stdout: '[]\n', stderr: '' });
  expect(journal()).toEqual(['started']);
});

test('the daemon lives in a session of its own and holds nothing of the command', async () => {
  await banger.run(['vm', 'list']);
  const { pid } = await status();
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const [, , , session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  expect(Number(session)).toBe(pid);
});

test('status and stop: nothing is started, VMs that go on are named', async () => {
  expect(await banger.run(['daemon', 'status'])).toMatchObject({ status: 1, stdout: 'not running\n' });
  expect(await banger.run(['daemon', 'stop'])).toMatchObject({ status: 0, stdout: 'No daemon is running.\n' });
  expect(journal()).toEqual([]);
  expect((await banger.run(['daemon', 'start'])).stdout).toMatch(/^banger daemon 0\.1\.0 started \(pid \d+/);
  expect((await banger.run(['daemon', 'start'])).stdout).toMatch(/^banger daemon 0\.1\.0 runs already/);
  const stopped = await banger.run(['daemon', 'stop']);
  expect(stopped.stdout).toMatch(/^The daemon \(pid \d+\) has stopped\.\nThese VMs go on running: calm-otter\n$/);
  // The command ends after the daemon's process does.
  expect(journal()).toEqual(['started', 'stop {"reason":"user"}', 'ended']);
});

test('a daemon of another build is replaced', async () => {
  await banger.run(['daemon', 'start'], { env: { FAKE_BUILD: 'dev-older' } });
  expect((await status()).buildId).toBe('dev-older');
  expect(await banger.run(['vm', 'list', '--json'])).toMatchObject({ status: 0, stdout: '[]\n', stderr: '' });
  expect((await status()).buildId).toBe(banger.buildId);
  expect(journal()).toEqual(['started', 'stop {"reason":"replace"}', 'ended', 'started']);
});

test('two commands that replace it together both succeed', async () => {
  await banger.run(['daemon', 'start'], { env: { FAKE_BUILD: 'dev-older' } });
  const results = await Promise.all([banger.run(['vm', 'list', '--json']), banger.run(['vm', 'list', '--json'])]);
  for (const result of results) expect(result).toMatchObject({ status: 0, stdout: '[]\n', stderr: '' });
  expect((await status()).buildId).toBe(banger.buildId);
});

test('a changed source is another build', async () => {
  await banger.run(['daemon', 'start']);
  await writeFile(join(banger.root, 'src', 'added.ts'), 'export {};\n');
  await banger.run(['vm', 'list']);
  expect(journal()).toEqual(['started', 'stop {"reason":"replace"}', 'ended', 'started']);
});

test('a daemon of another build that is at work is left alone, and used', async () => {
  await banger.run(['daemon', 'start'], { env: { FAKE_BUILD: 'dev-older', FAKE_OPERATIONS: '1' } });
  const listed = await banger.run(['vm', 'list', '--json']);
  expect(listed).toMatchObject({ status: 0, stdout: '[]\n' });
  expect(listed.stderr).toContain('1 operation(s) running');
  expect(journal()).toEqual(['started']);
});

test('a daemon that dies: the end of its log is told', async () => {
  const { status: exit, stderr } = await banger.run(['vm', 'list'], { env: { FAKE_DAEMON: 'dies' } });
  expect(exit).toBe(1);
  expect(stderr).toContain('error: The daemon ended with status 9 before it was ready');
  expect(stderr).toContain('I have died');
  expect(stderr).toContain('(DAEMON_UNREACHABLE)');
});

test('a daemon that refuses: its own words', async () => {
  const { status: exit, stderr } = await banger.run(['vm', 'list'], { env: { FAKE_DAEMON: 'refuses' } });
  expect(exit).toBe(1);
  expect(stderr).toBe('error: config.toml:3:1 bad key\nhint: Mend it.\n(CONFIG_INVALID)\n');
});

test('a socket that nobody serves does not stand in the way', async () => {
  await banger.run(['daemon', 'start']);
  const { pid } = await status();
  process.kill(pid, 'SIGKILL');
  expect(await banger.run(['vm', 'list', '--json'])).toMatchObject({ status: 0, stdout: '[]\n' });
  expect(journal()).toEqual(['started', 'started']);
});

test('a folder for sockets that others can enter is not used', async () => {
  const run = join(banger.home, 'run');
  await mkdir(run, { mode: 0o700 });
  await chmod(run, 0o755);
  const open = await banger.run(['vm', 'list']);
  expect(open.stderr).toContain('has mode 0755; it must be 0700');
  expect(open.status).toBe(1);
  await rm(run, { recursive: true });
  await symlink('/tmp', run);
  expect((await banger.run(['vm', 'list'])).stderr).toContain('is a symbolic link');
  await rm(run);
  expect(journal()).toEqual([]);
});

test('a socket path over 107 bytes is refused', async () => {
  const home = join(banger.home, 'x'.repeat(100));
  const { status: exit, stderr } = await banger.run(['vm', 'list'], { env: { BANGER_HOME: home } });
  expect(stderr).toContain('(PATH_TOO_LONG)');
  expect(exit).toBe(1);
});

test('doctor runs without a daemon; its exit status is its verdict', async () => {
  const well = await banger.run(['doctor', '--for', 'vm']);
  expect(well.stdout).toBe(
    [
      'ok       qemu-binary  qemu',
      'warning  kvm          no ^[[1mKVM',
      '         mend it: nothing to do',
      '',
      'This host is ready.',
      '',
    ].join('\n'),
  );
  expect(well.status).toBe(0);
  const unwell = await banger.run(['doctor', '--json'], { env: { FAKE_DAEMON: 'unwell' } });
  expect(unwell.status).toBe(1);
  expect(JSON.parse(unwell.stdout)).toMatchObject({ ok: false, topic: 'all' });
  expect(journal()).toEqual([]);
});

test('daemon logs where no daemon has ever run', async () => {
  expect(await banger.run(['daemon', 'logs'])).toMatchObject({ status: 0, stdout: '' });
  expect((await banger.run(['daemon', 'logs', '-f'])).stderr).toContain('There is no log yet');
});

test('daemon logs: the last lines, and what is added', async () => {
  const log = join(banger.home, 'state', 'daemon.log');
  await mkdir(join(banger.home, 'state'));
  const line = (index: number): string => `{"level":30,"time":1777636800000,"msg":"line ${index}"}\n`;
  await writeFile(log, Array.from({ length: 3000 }, (_, index) => line(index)).join(''));
  const { stdout } = await banger.run(['daemon', 'logs', '-n', '2']);
  expect(stdout).toBe('2026-05-01T12:00:00.000Z info  line 2998\n2026-05-01T12:00:00.000Z info  line 2999\n');
  const following = banger.start(['daemon', 'logs', '-n', '1', '--follow']);
  await following.prints('line 2999');
  await appendFile(log, line(3000));
  await following.prints('line 3000');
  following.kill('SIGINT');
  await following.ended;
});
