/** `vm exec` through the real daemon into fake guests, whose sshd is real. */
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { run } from '../../../src/host/process.ts';
import { type DaemonHome, makeDaemonHome, needRoot } from '../../support/daemon-home.ts';

let home: DaemonHome;

beforeAll(async () => {
  if (process.getuid?.() !== 0) return;
  home = await makeDaemonHome();
  await home.start();
  await home.perform('imageRegister', { params: { name: 'tiny' }, body: home.image });
  await home.perform('vmCreate', { body: { name: 'box', image: 'tiny' } });
});

afterAll(async () => {
  await home?.[Symbol.asyncDispose]();
});

beforeEach(needRoot);

const exec = (command: readonly string[], options: Parameters<DaemonHome['launch']>[1] & { flags?: string[] } = {}) =>
  home.launch(['vm', 'exec', ...(options.flags ?? []), 'box', '--', ...command], options);

/** How many processes of the fake guest have these digits in their command line. */
async function inGuest(digits: string): Promise<number> {
  // In brackets, so that whoever looks does not find itself.
  const { stdout } = await exec([`grep -slae [${digits[0]}]${digits.slice(1)} /proc/[0-9]*/cmdline | wc -l`]).ended;
  return Number(stdout);
}

describe('a command', () => {
  test('has its words as they are, its output and its status', async () => {
    const words = ['a b', "it's", '$HOME', '"', '*', '-n', '', 'x;y', 'é\\n', 'two\nlines'];
    expect(await exec(['printf', '%s|', ...words]).ended).toEqual({
      status: 0,
      stdout: words.map((word) => `${word}|`).join(''),
      stderr: '',
    });
    expect(await exec(['echo out; echo err >&2; exit 7']).ended).toEqual({
      status: 7,
      stdout: 'out\n',
      stderr: 'err\n',
    });
    expect((await exec(['kill -TERM $$']).ended).status).toBe(143);
    expect((await exec(['/no/such']).ended).status).toBe(127);
  });

  test('has an empty stdin, or ours with -i', async () => {
    expect(await exec(['wc -c'], { input: 'unseen' }).ended).toMatchObject({ stdout: '0\n' });
    expect(await exec(['cat'], { input: 'seen', flags: ['-i'] }).ended).toMatchObject({ stdout: 'seen', status: 0 });
  });

  test('has variables and a folder', async () => {
    const flags = ['-e', "WORD=it's = $X", '--env', 'OTHER=', '-w', '/usr/bin'];
    expect(await exec(['echo "$WORD|$OTHER|$(pwd)"'], { flags }).ended).toMatchObject({
      stdout: "it's = $X||/usr/bin\n",
    });
    expect(await exec(['true'], { flags: ['-w', '/no such'] }).ended).toMatchObject({ status: 126 });
  });

  test('bytes of every kind come and go unchanged', async () => {
    const sent = join(home.dir, 'sent');
    const back = join(home.dir, 'back');
    await writeFile(sent, randomBytes(20_000_000));
    const script = '"$0" vm exec -i box -- cat < "$1" > "$2"';
    const { stdout } = await run(['find', home.dir, '-maxdepth', '3', '-path', '*/bin/banger']);
    await run(['/bin/sh', '-c', script, stdout.trim(), sent, back], {
      env: { BANGER_HOME: home.paths.homePath, HOME: home.dir },
    });
    expect((await readFile(back)).equals(await readFile(sent))).toBe(true);
  });

  test('--json: its output on stderr, its status on stdout', async () => {
    const ended = await exec(['echo inside; exit 4'], { flags: ['--json'] }).ended;
    expect(ended).toMatchObject({ status: 4, stderr: 'inside\n' });
    expect(JSON.parse(ended.stdout)).toEqual({ exitStatus: 4 });
  });

  test('has a terminal with --tty, and none without', async () => {
    expect(await exec(['test -t 1; echo $?']).ended).toMatchObject({ stdout: '1\n' });
    const { stdout } = await exec(['test -t 1; echo $? $TERM'], { flags: ['-t'], env: { TERM: 'vt100' } }).ended;
    // This guest's sshd has said something before.
    expect(stdout.endsWith('0 vt100\r\n')).toBe(true);
  });

  test.each([
    [['vm', 'exec', 'box'], 2, 'a command must follow --'],
    [['vm', 'exec', 'Box', '--', 'true'], 2, 'a name is'],
    [['vm', 'exec', '-e', '1=2', 'box', '--', 'true'], 2, 'is not NAME=VALUE'],
    [['vm', 'exec', '-w', 'relative', 'box', '--', 'true'], 1, 'give an absolute path in the guest'],
    [['vm', 'exec', '-u', '-x', 'box', '--', 'true'], 1, 'give the name of a user'],
    [['vm', 'exec', 'bos', '--', 'true'], 1, 'There is no VM "bos"'],
  ])('refused: %j', async (args, status, words) => {
    const ended = await home.launch(args).ended;
    expect(ended.stderr).toContain(words);
    expect(ended.status).toBe(status);
  });

  test('twenty at once', async () => {
    const all = await Promise.all(Array.from({ length: 20 }, (_, index) => exec([`sleep 1; echo ${index}`]).ended));
    expect(all.map(({ stdout }) => stdout)).toEqual(all.map((_, index) => `${index}\n`));
  }, 120_000);
});

describe('how it ends', () => {
  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('%s goes to the command', async (signal) => {
    const running = exec([`trap "echo got it; exit 9" ${signal.slice(3)}; echo up; while :; do sleep 0.1; done`]);
    await running.prints('up');
    running.kill(signal);
    expect(await running.ended).toMatchObject({ stdout: 'up\ngot it\n', status: 9 });
  });

  test('a signal does not wait behind stdin that the command does not read', async () => {
    const running = exec(['echo up; exec sleep 987'], { input: 'x'.repeat(8_000_000), flags: ['-i'] });
    await running.prints('up');
    running.kill('SIGINT');
    expect(await running.ended).toMatchObject({ stderr: '', status: 130 });
  });

  test('killed without a chance to say so, the command ends with us', async () => {
    const running = exec(['echo up; exec sleep 876']);
    await running.prints('up');
    expect(await inGuest('876')).toBeGreaterThan(0);
    running.kill('SIGKILL');
    await running.ended;
    await expect.poll(() => inGuest('876'), { timeout: 10_000 }).toBe(0);
  });

  test('the VM is deleted meanwhile: told, with a status that is nobody’s', async () => {
    await home.perform('vmCreate', { body: { name: 'brief', image: 'tiny' } });
    const running = home.launch(['vm', 'exec', 'brief', '--', 'echo up; exec sleep 765']);
    await running.prints('up');
    await home.perform('vmDelete', { params: { name: 'brief' } });
    const { status, stderr } = await running.ended;
    expect(stderr).toMatch(/VM "brief" ended while the command ran: it is delet(ed|ing) now\./);
    expect(status).toBe(255);
  });

  test('a reader that is slow does not make the daemon grow', async () => {
    await exec(['true']).ended;
    const rss = async (): Promise<number> => (await home.client.call('daemonStatus', {})).rssBytes;
    const before = await rss();
    // Stopped, it reads nothing.
    const running = exec(['exec yes']);
    await running.prints('y');
    process.kill(running.pid, 'SIGSTOP');
    for (let look = 0; look < 20; look += 1) await exec(['sleep 0.05']).ended;
    expect((await rss()) - before).toBeLessThan(30 * 2 ** 20);
    process.kill(running.pid, 'SIGCONT');
    running.kill('SIGKILL');
    await running.ended;
  }, 120_000);
});

test('the daemon is stopped meanwhile: told, and the command is ended', async () => {
  const running = exec(['echo up; exec sleep 654']);
  await running.prints('up');
  await home.banger('daemon', 'stop');
  const { status, stderr } = await running.ended;
  expect(stderr).toContain('The daemon has gone while the command ran in box');
  expect(status).toBe(255);
  await home.start();
  expect(await inGuest('654')).toBe(0);
});
