/** Tar streams as a guest may send them, into real folders. */
import { spawnSync } from 'node:child_process';
import { lstat, mkdir, readdir, readFile, readlink, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pack as createPack, type Header, type Pack } from 'tar-stream';
import { beforeEach, describe, expect, test } from 'vitest';
import { packTree } from '../../../src/client/copy/pack-tree.ts';
import { unpackTree } from '../../../src/client/copy/unpack-tree.ts';
import { collect } from '../../support/collect.ts';
import { makeTempDir } from '../../support/temp-dir.ts';

let dir: string;
let target: string;
/** What lies outside the target, and must stay as it is. */
let outside: string;

beforeEach(async () => {
  dir = await makeTempDir();
  target = join(dir, 'target');
  outside = join(dir, 'outside');
  await mkdir(target);
  await mkdir(outside);
  await writeFile(join(outside, 'precious'), 'precious');
});

interface Entry extends Partial<Omit<Header, 'name'>> {
  readonly name: string;
  readonly content?: string;
}

async function* archive(...entries: readonly Entry[]): AsyncGenerator<Buffer> {
  const pack: Pack = createPack();
  for (const { content, ...header } of entries) pack.entry(header, content ?? '');
  pack.finalize();
  yield* pack as AsyncIterable<Buffer>;
}

async function* bytes(...chunks: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* chunks;
}

const unpack = (chunks: AsyncIterable<Uint8Array>, name: string | undefined = 'top') =>
  unpackTree(chunks, { folder: target, name, top: 'top', onBytes: () => undefined });

async function untouched(): Promise<void> {
  expect(await readdir(outside)).toEqual(['precious']);
  expect(await readFile(join(outside, 'precious'), 'utf8')).toBe('precious');
}

describe('a hostile stream', () => {
  const evil = { content: 'evil' };
  test.each<[string, readonly Entry[]]>([
    ['an absolute path', [{ name: '/etc/x', ...evil }]],
    ['a path upward', [{ name: 'top/../../outside/x', ...evil }]],
    ['another name than was asked for', [{ name: 'outside/x', ...evil }]],
    ['a hard link to a file outside', [{ name: 'top/x', type: 'link', linkname: '../outside/precious' }]],
    [
      'a file through a link it has sent before',
      [
        { name: 'top/', type: 'directory' },
        { name: 'top/way', type: 'symlink', linkname: '../../outside' },
        { name: 'top/way/x', ...evil },
      ],
    ],
    [
      'a folder in the place of a link it has sent before',
      [
        { name: 'top/way', type: 'symlink', linkname: '../../outside' },
        { name: 'top/way', type: 'directory' },
        { name: 'top/way/precious', ...evil },
      ],
    ],
    [
      'the top itself as a link, then what is in it',
      [
        { name: 'top', type: 'symlink', linkname: '../outside' },
        { name: 'top/precious', ...evil },
      ],
    ],
    [
      'a link in the place of a folder it has sent before',
      [
        { name: 'top/a/', type: 'directory' },
        { name: 'top/a', type: 'symlink', linkname: '../../outside' },
        { name: 'top/a/precious', ...evil },
      ],
    ],
    [
      'a file below a file',
      [
        { name: 'top/f', ...evil },
        { name: 'top/f/x', ...evil },
      ],
    ],
  ])('with %s is refused, and nothing outside is touched', async (_what, entries) => {
    await expect(unpack(archive(...entries))).rejects.toMatchObject({ code: 'COPY_FAILED' });
    await untouched();
  });

  test('writes through no link that was there before', async () => {
    await symlink(outside, join(target, 'top'));
    await expect(unpack(archive({ name: 'top/precious', content: 'evil' }))).rejects.toMatchObject({
      code: 'COPY_FAILED',
    });
    await untouched();
  });

  test('a link in the place of a file is replaced, not followed', async () => {
    await symlink(join(outside, 'precious'), join(target, 'top'));
    await unpack(archive({ name: 'top', content: 'new' }));
    expect((await lstat(join(target, 'top'))).isFile()).toBe(true);
    await untouched();
  });

  test('leaves no setuid bit, no device and no pipe', async () => {
    const { skipped } = await unpack(
      archive(
        { name: 'top/', type: 'directory', mode: 0o7777 },
        { name: 'top/su', mode: 0o6755, content: 'x' },
        { name: 'top/dev', type: 'character-device', devmajor: 1, devminor: 3 },
        { name: 'top/pipe', type: 'fifo' },
      ),
    );
    expect(await readdir(join(target, 'top'))).toEqual(['su']);
    expect((await stat(join(target, 'top', 'su'))).mode & 0o7777).toBe(0o755);
    expect((await stat(join(target, 'top'))).mode & 0o7777).toBe(0o777);
    expect(skipped).toEqual(['top/dev (character-device)', 'top/pipe (fifo)']);
  });

  test('that is no archive, that breaks off, or whose header has no end', async () => {
    const whole = Buffer.concat(await collect(archive({ name: 'top', content: 'x'.repeat(5000) })));
    const endless = Buffer.from(whole.subarray(0, 512));
    // An extended header of 8 GiB.
    endless.write('77777777777\0', 124, 'latin1');
    endless.write('x', 156, 'latin1');
    endless.fill(' ', 148, 156);
    const sum = endless.reduce((total, byte) => total + byte, 0);
    endless.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
    for (const chunks of [
      [Buffer.from('no tar at all'.repeat(100))],
      [whole.subarray(0, 2000)],
      [endless, Buffer.alloc(2 ** 20)],
    ]) {
      await expect(unpack(bytes(...chunks))).rejects.toMatchObject({ code: 'COPY_FAILED' });
    }
    expect(await readdir(target)).toEqual([]);
  });

  test('that stops in the middle of a file leaves the file that was there', async () => {
    await writeFile(join(target, 'top'), 'before');
    const whole = Buffer.concat(await collect(archive({ name: 'top', content: 'x'.repeat(5000) })));
    const broken = async function* (): AsyncGenerator<Buffer> {
      yield whole.subarray(0, 2000);
      throw new Error('the connection was lost');
    };
    await expect(unpack(broken())).rejects.toThrow('the connection was lost');
    expect(await readdir(target)).toEqual(['top']);
    expect(await readFile(join(target, 'top'), 'utf8')).toBe('before');
  });
});

describe('a tree', () => {
  const UGLY = [
    'with space',
    "quo'te",
    'dou"ble',
    'new\nline',
    '-dash',
    '$HOME',
    '*',
    'é',
    ' ',
    'back\\slash',
    '.hidden',
  ];

  test('goes through our own tar and back as it was', async () => {
    const source = join(dir, 'source');
    await mkdir(join(source, 'empty'), { recursive: true });
    for (const [index, name] of UGLY.entries()) {
      await writeFile(join(source, name), name, { mode: 0o600 + index });
      await utimes(join(source, name), 1, 1_600_000_000 + index + 0.25);
    }
    await mkdir(join(source, 'deep', 'er'.repeat(100)), { recursive: true });
    await writeFile(join(source, 'deep', 'er'.repeat(100), 'x'.repeat(200)), 'long', { mode: 0o644 });
    await symlink('../out there', join(source, 'link'));
    await symlink('x'.repeat(300), join(source, 'long link'));
    await utimes(join(source, 'empty'), 5, 5.5);
    const chunks = packTree({ hostPath: source, name: 'top' }, () => undefined);
    const { files, bytes: count } = await unpack(chunks, 'copy');
    expect({ files, count }).toEqual({ files: UGLY.length + 3, count: UGLY.join('').length + 1 + 4 });
    const diff = spawnSync('diff', ['-r', '--no-dereference', source, join(target, 'copy')], { encoding: 'utf8' });
    expect(diff.stdout).toBe('');
    for (const name of [...UGLY, 'empty', 'link', 'deep']) {
      const [before, after] = await Promise.all([lstat(join(source, name)), lstat(join(target, 'copy', name))]);
      expect([name, after.mode, Math.round(after.mtimeMs)]).toEqual([name, before.mode, Math.round(before.mtimeMs)]);
    }
    expect(await readlink(join(target, 'copy', 'link'))).toBe('../out there');
  });

  test('as GNU tar writes it', async () => {
    const source = join(dir, 'source');
    await mkdir(source);
    for (const name of UGLY) await writeFile(join(source, name), name);
    await writeFile(join(source, 'x'.repeat(250)), 'long');
    for (const format of ['posix', 'gnu']) {
      const made = spawnSync('tar', ['-c', `--format=${format}`, '-C', dir, '--', 'source']);
      await unpackTree(bytes(made.stdout), { folder: target, name: format, top: 'source', onBytes: () => undefined });
      expect(spawnSync('diff', ['-r', source, join(target, format)]).status).toBe(0);
    }
  });

  test('is joined with what is there: folders keep their modes, files are replaced', async () => {
    await mkdir(join(target, 'top', 'kept'), { recursive: true, mode: 0o750 });
    await writeFile(join(target, 'top', 'kept', 'old'), 'old');
    await writeFile(join(target, 'top', 'file'), 'old');
    await unpack(
      archive(
        { name: 'top/', type: 'directory', mode: 0o777 },
        { name: 'top/kept/', type: 'directory', mode: 0o777 },
        { name: 'top/kept/new', content: 'new' },
        { name: 'top/file', content: 'new' },
      ),
    );
    expect((await stat(join(target, 'top', 'kept'))).mode & 0o777).toBe(0o750);
    expect((await readdir(join(target, 'top', 'kept'))).sort()).toEqual(['new', 'old']);
    expect(await readFile(join(target, 'top', 'file'), 'utf8')).toBe('new');
  });

  test('with folders that nobody may write into comes whole', async () => {
    await unpack(
      archive(
        { name: 'top/', type: 'directory', mode: 0o555, mtime: new Date(1000) },
        { name: 'top/f', mode: 0o400, content: 'x' },
      ),
    );
    const made = await stat(join(target, 'top'));
    expect([made.mode & 0o777, made.mtimeMs]).toEqual([0o555, 1000]);
  });
});

test('a file that shrinks while it is read is told', async () => {
  const path = join(dir, 'shrinks');
  await writeFile(path, Buffer.alloc(3_000_000));
  const reading = collect(
    packTree({ hostPath: path, name: 'x' }, () => void writeFile(path, '').catch(() => undefined)),
  );
  await expect(reading).rejects.toMatchObject({
    code: 'COPY_FAILED',
    message: `${path} became shorter while it was read.`,
  });
});
