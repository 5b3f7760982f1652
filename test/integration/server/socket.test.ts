import { chmod, chown, lstat, mkdir, readdir, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import type { Handlers } from '../../../src/daemon/route-handlers.ts';
import { type RunningServer, startServer } from '../../../src/daemon/server.ts';
import { run } from '../../../src/host/process.ts';
import { makeTempDir } from '../../support/temp-dir.ts';
import { startTestServer } from '../../support/test-server.ts';

const uid = process.getuid?.() ?? 0;

const start = (socketPath: string): Promise<RunningServer> =>
  startServer({
    socketPath,
    handlers: {} as Handlers,
    log: pino({ level: 'silent' }),
    logPath: '/log',
    buildId: 'b',
    uid,
  });

test('is 0600 in a folder that is 0700, whatever the umask', async () => {
  const socketPath = join(await makeTempDir(), 'a', 'run', 'banger.sock');
  const umask = process.umask(0);
  try {
    const server = await start(socketPath);
    expect((await lstat(socketPath)).mode & 0o777).toBe(0o600);
    expect((await lstat(join(socketPath, '..'))).mode & 0o777).toBe(0o700);
    expect(process.umask(0)).toBe(0);
    await server.close();
    expect(await readdir(join(socketPath, '..'))).toEqual([]);
  } finally {
    process.umask(umask);
  }
});

test('replaces the socket that a dead daemon left', async () => {
  const socketPath = join(await makeTempDir(), 'banger.sock');
  // Killed, so that nothing tidies up behind it.
  const script = `require('net').createServer().listen(${JSON.stringify(socketPath)}, () => process.kill(process.pid, 'SIGKILL'))`;
  await expect(run([process.execPath, '-e', script])).rejects.toMatchObject({ failure: 'signal' });
  expect((await stat(socketPath)).isSocket()).toBe(true);
  await (await start(socketPath)).close();
});

describe('is refused', () => {
  test('where the path is too long for a socket', async () => {
    const dir = await makeTempDir();
    const fits = join(dir, 'x'.repeat(107 - dir.length - 1));
    await (await start(fits)).close();
    await expect(start(`${fits}x`)).rejects.toMatchObject({ code: 'PATH_TOO_LONG', details: { maxBytes: 107 } });
  });

  test.each([0o755, 0o770, 0o701, 0o1777, 0o500])('in a folder of mode %o', async (mode) => {
    const dir = join(await makeTempDir(), 'run');
    await mkdir(dir);
    await chmod(dir, mode);
    await expect(start(join(dir, 'banger.sock'))).rejects.toMatchObject({
      code: 'FOLDER_UNSAFE',
      hint: `chmod 700 ${dir}`,
      details: { reason: 'open-to-others' },
    });
    expect((await stat(dir)).mode & 0o7777).toBe(mode);
  });

  test('in a folder that is a symlink to a good one', async () => {
    const dir = await makeTempDir();
    await mkdir(join(dir, 'good'), { mode: 0o700 });
    await symlink(join(dir, 'good'), join(dir, 'run'));
    await expect(start(join(dir, 'run', 'banger.sock'))).rejects.toMatchObject({
      code: 'FOLDER_UNSAFE',
      details: { reason: 'symlink' },
    });
  });

  test('in a folder that is a symlink to nothing, and in one that is a file', async () => {
    const dir = await makeTempDir();
    await symlink(join(dir, 'nothing'), join(dir, 'dangling'));
    await writeFile(join(dir, 'file'), '');
    const reasons = { dangling: 'symlink', file: 'not-a-folder' };
    for (const [name, reason] of Object.entries(reasons)) {
      await expect(start(join(dir, name, 'banger.sock'))).rejects.toMatchObject({
        code: 'FOLDER_UNSAFE',
        details: { reason },
      });
    }
  });

  test('in a folder of somebody else', async (context) => {
    if (uid !== 0) context.skip('only root can give a folder away');
    const dir = join(await makeTempDir(), 'run');
    await mkdir(dir, { mode: 0o700 });
    await chown(dir, 65534, 65534);
    await expect(start(join(dir, 'banger.sock'))).rejects.toMatchObject({
      code: 'FOLDER_UNSAFE',
      message: expect.stringContaining('belongs to uid 65534'),
      details: { reason: 'foreign-owner' },
    });
  });

  test('where something lies that is no socket', async () => {
    const socketPath = join(await makeTempDir(), 'banger.sock');
    await writeFile(socketPath, 'precious');
    await expect(start(socketPath)).rejects.toMatchObject({ code: 'FOLDER_UNSAFE' });
    expect((await stat(socketPath)).size).toBe(8);
  });
});

describe('closing', () => {
  test('waits for what is being answered, and takes nothing new', async () => {
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
    const { promise: work, resolve: finish } = Promise.withResolvers<void>();
    const server = await startTestServer({
      imageList: async () => {
        begin();
        await work;
        return [];
      },
    });
    const asking = server.ask({ path: '/v1/images' });
    await begun;
    const closed = server.running.close();
    await expect(server.ask({ path: '/v1/images' })).rejects.toThrow(/ENOENT|ECONNREFUSED/);
    finish();
    expect(await asking).toMatchObject({ status: 200, text: '[]' });
    await closed;
  });

  test('does not wait for a connection that only stays open', async () => {
    const server = await startTestServer({ imageList: () => [] });
    await server.ask({ path: '/v1/images' });
    const startedAt = performance.now();
    await server.running.close();
    expect(performance.now() - startedAt).toBeLessThan(1500);
  });

  test('does not wait for ever for a handler that hangs', async () => {
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
    const server = await startTestServer({
      imageList: () => {
        begin();
        return new Promise(() => undefined);
      },
    });
    const [outcome] = await Promise.allSettled([
      server.ask({ path: '/v1/images' }),
      begun.then(() => server.running.close()),
    ]);
    expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'ECONNRESET' } });
  });
});
