import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { writeFileAtomic } from '../../../src/host/atomic-file.ts';
import { makeTempDir } from '../../support/temp-dir.ts';

test('a new file has content and mode, and nothing is left beside it', async () => {
  const dir = await makeTempDir();
  await writeFileAtomic(join(dir, 'key'), 'secret', { mode: 0o600 });
  await writeFileAtomic(join(dir, 'bytes'), new Uint8Array([0, 255]), { mode: 0o644 });
  expect(await readFile(join(dir, 'key'), 'utf8')).toBe('secret');
  expect([...(await readFile(join(dir, 'bytes')))]).toEqual([0, 255]);
  expect((await stat(join(dir, 'key'))).mode & 0o777).toBe(0o600);
  expect((await readdir(dir)).toSorted()).toEqual(['bytes', 'key']);
});

test('a file that is there is replaced, mode and all', async () => {
  const path = join(await makeTempDir(), 'key');
  await writeFile(path, 'old');
  await chmod(path, 0o666);
  await writeFileAtomic(path, 'new', { mode: 0o600 });
  expect(await readFile(path, 'utf8')).toBe('new');
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test('a reader sees the old content or the new, never a part', async () => {
  const path = join(await makeTempDir(), 'state');
  const contents = ['a', 'b'].map((letter) => letter.repeat(500_000));
  await writeFileAtomic(path, contents[0] ?? '', { mode: 0o600 });
  const done = new AbortController();
  const writing = (async () => {
    for (let turn = 0; turn < 20; turn += 1) await writeFileAtomic(path, contents[turn % 2] ?? '', { mode: 0o600 });
    done.abort();
  })();
  let reads = 0;
  while (!done.signal.aborted) {
    expect(contents).toContain(await readFile(path, 'utf8'));
    reads += 1;
  }
  await writing;
  expect(reads).toBeGreaterThan(5);
});

test('one that fails leaves the old content and nothing beside it', async () => {
  const dir = await makeTempDir();
  // A folder stands where the file should go.
  await mkdir(join(dir, 'taken', 'child'), { recursive: true });
  await expect(writeFileAtomic(join(dir, 'taken'), 'new', { mode: 0o600 })).rejects.toMatchObject({ code: 'EISDIR' });
  expect(await readdir(dir)).toEqual(['taken']);
  await expect(writeFileAtomic(join(dir, 'none', 'file'), 'new', { mode: 0o600 })).rejects.toMatchObject({
    code: 'ENOENT',
  });
});
