/** `vm cp` through the real daemon into fake guests. */
import { randomBytes } from 'node:crypto';
import { lstat, mkdir, readdir, readFile, readlink, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type DaemonHome, makeDaemonHome, needRoot } from '../../support/daemon-home.ts';

let home: DaemonHome;
let dir: string;

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

beforeEach(async (context) => {
  needRoot(context);
  dir = join(home.dir, 'work');
  await rm(dir, { recursive: true, force: true });
  await mkdir(dir);
  await guest('rm -rf /root/* /root/.[a-z]*-test && mkdir -p /root/there');
});

const cp = (source: string, target: string, options: Parameters<DaemonHome['launch']>[1] & { flags?: string[] } = {}) =>
  home.launch(['vm', 'cp', ...(options.flags ?? []), source, target], { cwd: dir, ...options }).ended;

async function guest(script: string): Promise<string> {
  const { status, stdout, stderr } = await home.launch(['vm', 'exec', 'box', '--', script]).ended;
  if (status !== 0) throw new Error(stderr);
  return stdout;
}

const UGLY = ["it's", 'a "b" c', 'new\nline', '$HOME', '-rf', '*', ' ', 'é'];

test('a file goes in and comes back: bytes, mode and time', async () => {
  const content = randomBytes(3_000_000);
  await writeFile(join(dir, 'f'), content, { mode: 0o640 });
  await utimes(join(dir, 'f'), 1, 1_600_000_000.5);
  expect(await cp('f', 'box:/root/there')).toEqual({ status: 0, stdout: '', stderr: '' });
  expect(await guest('stat -c "%a %Y %s" /root/there/f')).toBe('640 1600000000 3000000\n');
  expect(await cp('box:there/f', 'back', { flags: ['--json'] })).toMatchObject({ status: 0 });
  expect((await readFile(join(dir, 'back'))).equals(content)).toBe(true);
  const { mode, mtimeMs } = await lstat(join(dir, 'back'));
  expect([mode & 0o7777, mtimeMs]).toEqual([0o640, 1_600_000_000_500]);
});

test('names that a shell would read otherwise', async () => {
  for (const name of UGLY) await writeFile(join(dir, name), name);
  for (const name of UGLY) expect(await cp(`./${name}`, `box:/root/${name}`)).toMatchObject({ status: 0, stderr: '' });
  await mkdir(join(dir, 'back'));
  for (const name of UGLY) expect(await cp(`box:/root/${name}`, 'back/')).toMatchObject({ status: 0, stderr: '' });
  expect((await readdir(join(dir, 'back'))).sort()).toEqual([...UGLY].sort());
  for (const name of UGLY) expect(await readFile(join(dir, 'back', name), 'utf8')).toBe(name);
});

describe('a folder', () => {
  beforeEach(async () => {
    await mkdir(join(dir, 'tree', 'sub'), { recursive: true, mode: 0o750 });
    await writeFile(join(dir, 'tree', 'sub', 'f'), 'content');
    await symlink('sub/f', join(dir, 'tree', 'link'));
    await symlink('/nowhere', join(dir, 'tree', 'broken'));
  });

  test('goes into a folder that is there, or gets a new name; with /. only what is in it', async () => {
    expect((await cp('tree', 'box:/root/there')).status).toBe(0);
    expect((await cp('tree', 'box:/root/named')).status).toBe(0);
    expect((await cp('tree/.', 'box:/root/there')).status).toBe(0);
    expect(await guest('cd /root && find there named -printf "%p %y %l\\n" | sort')).toBe(
      [
        'named d ',
        'named/broken l /nowhere',
        'named/link l sub/f',
        'named/sub d ',
        'named/sub/f f ',
        'there d ',
        'there/broken l /nowhere',
        'there/link l sub/f',
        'there/sub d ',
        'there/sub/f f ',
        'there/tree d ',
        'there/tree/broken l /nowhere',
        'there/tree/link l sub/f',
        'there/tree/sub d ',
        'there/tree/sub/f f ',
        '',
      ].join('\n'),
    );
  });

  test('comes out the same ways', async () => {
    await guest(
      'mkdir -p /root/t/sub && echo x > /root/t/sub/f && ln -s sub/f /root/t/link && ln /root/t/sub/f /root/t/hard',
    );
    await mkdir(join(dir, 'there'));
    expect(await cp('box:t', 'there')).toMatchObject({ status: 0, stderr: '' });
    expect(await cp('box:t', 'named')).toMatchObject({ status: 0, stderr: '' });
    expect(await cp('box:t/.', 'there')).toMatchObject({ status: 0, stderr: '' });
    for (const folder of ['there/t', 'named', 'there']) {
      expect(await readlink(join(dir, folder, 'link'))).toBe('sub/f');
      expect(await readFile(join(dir, folder, 'sub/f'), 'utf8')).toBe('x\n');
      expect(await readFile(join(dir, folder, 'hard'), 'utf8')).toBe('x\n');
    }
  });

  test('through a link only where that is asked for', async () => {
    await guest('mkdir /root/t && echo x > /root/t/f && ln -s t /root/l && ln -s t/f /root/lf');
    expect((await cp('box:l', 'as-link')).status).toBe(0);
    expect(await readlink(join(dir, 'as-link'))).toBe('t');
    expect((await cp('box:l', 'followed', { flags: ['-L'] })).status).toBe(0);
    expect(await readdir(join(dir, 'followed'))).toEqual(['f']);
    expect((await cp('box:l/.', 'entered')).status).toBe(0);
    expect(await readdir(join(dir, 'entered'))).toEqual(['f']);
    expect((await cp('box:lf', 'file', { flags: ['-L'] })).status).toBe(0);
    expect(await readFile(join(dir, 'file'), 'utf8')).toBe('x\n');
    expect((await cp('tree/link', 'box:/root/lf', { flags: ['-L'] })).status).toBe(0);
    expect(await guest('stat -c %F /root/lf && cat /root/lf')).toBe('regular file\ncontent');
  });
});

describe('a stream', () => {
  test('of a file in and out', async () => {
    expect(await cp('-', 'box:/root/from stdin', { input: 'said\0here' })).toMatchObject({ status: 0, stderr: '' });
    expect(await cp('box:/root/from stdin', '-')).toEqual({ status: 0, stdout: 'said\0here', stderr: '' });
    expect(await guest('stat -c %a "/root/from stdin"')).toBe('644\n');
  });

  test('into a folder, or of one', async () => {
    expect(await cp('-', 'box:/root')).toMatchObject({ status: 1, stderr: expect.stringContaining('needs the name') });
    expect(await cp('box:/root', '-')).toMatchObject({ status: 1, stderr: expect.stringContaining('Is a directory') });
  });
});

describe('refused', () => {
  test.each([
    [['a', 'b'], 2, 'one of both must be in a VM'],
    [['box:/a', 'box:/b'], 2, 'one of both must be in a VM'],
    [['-', '-'], 2, 'one of both must be in a VM'],
    [['nosuch', 'box:/root'], 1, 'nosuch does not exist.'],
    [['box:/no such', '.'], 1, '/no such does not exist.'],
    [['box:/etc/passwd', 'no/where'], 1, 'does not exist.'],
    [['box:/dev/null', '.'], 1, 'neither a file nor a folder'],
    [['bux:/etc/passwd', '.'], 1, 'There is no VM "bux"'],
  ] as const)('%j', async ([source, target], status, words) => {
    const ended = await cp(source, target);
    expect(ended.stderr).toContain(words);
    expect(ended.status).toBe(status);
    expect(await readdir(dir)).toEqual([]);
  });

  test('where the guest’s disk is full: its own words', async () => {
    await guest('head -c 126M /dev/zero > /root/filler || :');
    await writeFile(join(dir, 'large'), Buffer.alloc(3 * 2 ** 20));
    const { status, stderr } = await cp('large', 'box:/root');
    expect(stderr).toMatch(/could not write what it was sent: .*(No space left on device|Wrote only)/);
    expect(status).toBe(1);
  });
});

test('interrupted, it leaves no half of a file under its name, and nothing beside it', async () => {
  await guest('head -c 100M /dev/zero > /tmp/large');
  const running = home.launch(['vm', 'cp', 'box:/tmp/large', join(dir, 'large')]);
  await expect.poll(() => readdir(dir), { timeout: 10_000, interval: 5 }).not.toEqual([]);
  running.kill('SIGINT');
  expect((await running.ended).status).toBe(130);
  expect(await readdir(dir)).toEqual([]);
  await guest('rm /tmp/large');
});
