import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { AppError } from '../../../src/core/app-error.ts';
import { openLog } from '../../../src/daemon/log.ts';
import { run } from '../../../src/host/process.ts';
import { makeTempDir } from '../../support/temp-dir.ts';

async function linesOf(path: string): Promise<Record<string, unknown>[]> {
  const content = await readFile(path, 'utf8');
  return content
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

test('lines are there as soon as they are written, 0600, with time, level and causes', async () => {
  const path = join(await makeTempDir(), 'daemon.log');
  const log = openLog({ path, level: 'info' });
  log.debug('too fine');
  log.error({ err: new AppError('STORE_FAILED', 'broken', { cause: new Error('EIO') }), requestId: 'req-1' }, 'failed');
  expect(await linesOf(path)).toEqual([
    {
      level: 'error',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      pid: process.pid,
      requestId: 'req-1',
      err: expect.objectContaining({ message: 'broken: EIO', stack: expect.stringContaining('caused by: Error: EIO') }),
      msg: 'failed',
    },
  ]);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test('secrets are not written, however deep they stand', async () => {
  const path = join(await makeTempDir(), 'daemon.log');
  const log = openLog({ path, level: 'info' });
  log.info({ privateKey: 'SECRET', vm: { privateKey: 'SECRET', keys: { password: 'SECRET' } }, name: 'otter' }, 'made');
  const text = await readFile(path, 'utf8');
  expect(text).not.toContain('SECRET');
  expect(text).toContain('otter');
});

test('is appended to, and set aside at start once it has grown', async () => {
  const dir = await makeTempDir();
  const path = join(dir, 'daemon.log');
  await writeFile(path, `${'x'.repeat(99)}\n`);
  openLog({ path, level: 'info', rotateBytes: 100 }).info('second');
  expect(await readFile(path, 'utf8')).toContain('second');
  await writeFile(`${path}.1`, 'oldest');
  openLog({ path, level: 'info', rotateBytes: 100 }).info('third');
  expect((await readdir(dir)).toSorted()).toEqual(['daemon.log', 'daemon.log.1']);
  expect(await readFile(`${path}.1`, 'utf8')).toContain('second');
  expect(await linesOf(path)).toEqual([expect.objectContaining({ msg: 'third' })]);
});

test('a disk that is full does not end the process', async () => {
  const module = new URL('../../../src/daemon/log.ts', import.meta.url).href;
  const script = `
    const { openLog } = await import(${JSON.stringify(module)});
    const log = openLog({ path: '/dev/full', level: 'info' });
    for (let line = 0; line < 100; line += 1) log.info('line');
    setTimeout(() => process.stdout.write('alive'), 50);
  `;
  const { stdout } = await run([process.execPath, '--input-type=module', '-e', script], { timeoutMs: 30_000 });
  expect(stdout).toBe('alive');
});
