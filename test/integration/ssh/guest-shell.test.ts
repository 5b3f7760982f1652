import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, readlink, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { type Server, type Socket, createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createGuestShell } from '../../../src/adapters/ssh/guest-shell.ts';
import { createSshKeys } from '../../../src/adapters/ssh/keys.ts';
import { AppError } from '../../../src/core/app-error.ts';
import type { GuestSession, GuestShell, GuestTarget } from '../../../src/core/vms/ports.ts';
import { identifyProcess } from '../../../src/host/process-identity.ts';
import { type LocalSshd, freePort, startSshd } from '../../support/sshd.ts';

const never = new AbortController().signal;
const MIB = 2 ** 20;

let root: string;
let shell: GuestShell;
let sshd: LocalSshd;
let session: GuestSession;
let otherKey: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'banger-shell-'));
  const keys = createSshKeys({ sshDir: root, knownHostsPath: join(root, 'known_hosts'), userKeyPath: undefined });
  otherKey = (await keys.generateHostKey()).publicKey;
  sshd = await startSshd({ hostKey: await keys.generateHostKey(), clientPublicKey: await keys.clientPublicKey() });
  shell = createGuestShell({ privateKey: () => keys.clientPrivateKey() });
  session = await shell.connect(sshd.target, { timeoutMs: 10_000 }, never);
});

afterAll(async () => {
  await session?.[Symbol.asyncDispose]();
  await sshd?.stop();
  await rm(root, { recursive: true, force: true });
});

async function bash(script: string, timeoutMs = 20_000): Promise<{ exitStatus: number; tail: readonly string[] }> {
  return session.run({ program: '/bin/bash', args: ['-c', script], timeoutMs }, never);
}

/** Waits for a line that matches, and gives its first group. */
function lineWatcher(pattern: RegExp): { onLine: (line: string) => void; seen: Promise<string> } {
  const { promise, resolve } = Promise.withResolvers<string>();
  return {
    seen: promise,
    onLine: (line) => {
      const found = pattern.exec(line)?.[1];
      if (found !== undefined) resolve(found);
    },
  };
}

async function waitUntilGone(pid: number): Promise<void> {
  await expect.poll(() => identifyProcess(pid), { interval: 20, timeout: 5000 }).toBeUndefined();
}

test('a program that ends the moment it starts has its status heard', async () => {
  // Its exit status may come in the same packet as the news that it runs.
  for (let count = 0; count < 150; count += 1) {
    expect(await session.run({ program: '/bin/true', timeoutMs: 20_000 }, never)).toMatchObject({ exitStatus: 0 });
  }
});

test('a session that is abandoned fails what waits for it, at once', async () => {
  await using other = await shell.connect(sshd.target, { timeoutMs: 10_000 }, never);
  const { onLine, seen } = lineWatcher(/^(up)$/);
  const running = other.run(
    { program: '/bin/sh', args: ['-c', 'echo up; exec cat'], timeoutMs: 60_000, onLine },
    never,
  );
  await seen;
  other.abandon();
  await expect(running).rejects.toMatchObject({ code: 'GUEST_UNREACHABLE' });
});

test('runs a program with arguments and environment, and gives its lines and status', async () => {
  const lines: string[] = [];
  const result = await session.run(
    {
      program: '/bin/bash',
      args: ['-c', 'echo "$GREETING, $1"; echo "to stderr" >&2; printf "no newline"; exit 7', 'bash', "it's"],
      env: { GREETING: 'a "b" $c\n`d`', UID_OF: '0' },
      onLine: (line) => lines.push(line),
      timeoutMs: 10_000,
    },
    never,
  );
  expect(result.exitStatus).toBe(7);
  expect(lines.filter((line) => line !== 'to stderr')).toEqual(['a "b" $c', "`d`, it's", 'no newline']);
  expect(lines).toContain('to stderr');
  expect(result.tail).toEqual(lines);
});

test('a program that a signal ended has the status a shell would give it', async () => {
  expect(await bash('kill -TERM $$')).toMatchObject({ exitStatus: 143 });
  expect(await session.run({ program: '/no/such/program', timeoutMs: 5000 }, never)).toMatchObject({ exitStatus: 127 });
});

test('much output comes whole, and its tail is kept', async () => {
  const seen: string[] = [];
  const result = await session.run(
    { program: '/usr/bin/seq', args: ['200000'], onLine: (line) => seen.push(line), timeoutMs: 20_000 },
    never,
  );
  expect(seen).toHaveLength(200_000);
  expect(seen.at(-1)).toBe('200000');
  expect(result.tail.at(-1)).toBe('200000');
  expect(result.tail.length).toBeLessThan(100);
});

test('a program that leaves a daemon with its stdout behind is over all the same', async () => {
  const watcher = lineWatcher(/^pid (\d+)$/);
  const result = await session.run(
    {
      program: '/bin/bash',
      args: ['-c', 'sleep 300 & echo pid $!'],
      onLine: watcher.onLine,
      timeoutMs: 30_000,
    },
    never,
  );
  expect(result.exitStatus).toBe(0);
  process.kill(Number(await watcher.seen), 'SIGKILL');
});

test('a deadline kills the whole process group', async () => {
  const watcher = lineWatcher(/^grandchild (\d+)$/);
  const running = session.run(
    {
      program: '/bin/bash',
      args: ['-c', 'trap "" TERM HUP; bash -c "sleep 300 & echo grandchild \\$!; wait"'],
      onLine: watcher.onLine,
      timeoutMs: 2500,
    },
    never,
  );
  await expect(running).rejects.toMatchObject({
    code: 'BUILD_STEP_TIMEOUT',
    details: { tail: [expect.stringMatching(/^grandchild/)] },
  });
  await waitUntilGone(Number(await watcher.seen));
  expect(await bash('echo alive')).toMatchObject({ tail: ['alive'] });
});

test('an abort kills the program and gives its own reason', async () => {
  const controller = new AbortController();
  const watcher = lineWatcher(/^child (\d+)$/);
  const running = session.run(
    {
      program: '/bin/bash',
      args: ['-c', 'sleep 300 & echo child $!; wait'],
      onLine: watcher.onLine,
      timeoutMs: 60_000,
    },
    controller.signal,
  );
  const pid = Number(await watcher.seen);
  controller.abort(new AppError('OPERATION_CANCELLED', 'cancelled by the test'));
  await expect(running).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' });
  await waitUntilGone(pid);
  await expect(session.run({ program: '/bin/true', timeoutMs: 1000 }, controller.signal)).rejects.toMatchObject({
    code: 'OPERATION_CANCELLED',
  });
});

test('a lost connection fails what runs in it', async () => {
  await using lost = await shell.connect(sshd.target, { timeoutMs: 10_000 }, never);
  const watcher = lineWatcher(/^server (\d+)$/);
  const running = lost.run(
    { program: '/bin/bash', args: ['-c', 'echo server $PPID; read -r'], onLine: watcher.onLine, timeoutMs: 60_000 },
    never,
  );
  process.kill(Number(await watcher.seen), 'SIGKILL');
  await expect(running).rejects.toMatchObject({ code: 'GUEST_UNREACHABLE' });
  await expect(lost.run({ program: '/bin/true', timeoutMs: 5000 }, never)).rejects.toMatchObject({
    code: 'GUEST_UNREACHABLE',
    message: expect.stringContaining('connection'),
  });
});

test('uploads content and files with their modes, parents made, symlinks replaced', async () => {
  const dir = join(sshd.dir, 'upload');
  await mkdir(dir);
  await writeFile(join(dir, 'kept'), 'kept');
  await symlink('kept', join(dir, 'link'));
  await writeFile(join(root, 'source'), Buffer.alloc(3 * MIB, 'source'));
  const uploads = [
    { guestPath: join(dir, 'a b/c\nd/script.sh'), mode: 0o755, source: { content: '#!/bin/sh\n' } },
    { guestPath: join(dir, 'link'), mode: 0o600, source: { content: Buffer.from([0, 255]) } },
    { guestPath: join(dir, 'x'.repeat(200), 'ä'), mode: 0o644, source: { hostPath: join(root, 'source') } },
    { guestPath: join(dir, 'empty'), mode: 0o600, source: { content: '' } },
  ];
  await session.upload(uploads, never);
  await session.upload(uploads, never);
  expect((await stat(join(dir, 'a b/c\nd/script.sh'))).mode & 0o777).toBe(0o755);
  expect((await stat(join(dir, 'a b'))).mode & 0o777).toBe(0o755);
  expect(await readFile(join(dir, 'link'))).toEqual(Buffer.from([0, 255]));
  expect(await readFile(join(dir, 'kept'), 'utf8')).toBe('kept');
  expect((await readFile(join(dir, 'x'.repeat(200), 'ä'))).equals(Buffer.alloc(3 * MIB, 'source'))).toBe(true);
  expect((await stat(join(dir, 'empty'))).size).toBe(0);
  await session.upload([], never);
});

test.each(['relative', '/a/../b', '/', '/a\0b'])('refuses to upload to %j', async (guestPath) => {
  await expect(session.upload([{ guestPath, mode: 0o600, source: { content: '' } }], never)).rejects.toMatchObject({
    code: 'REQUEST_INVALID',
  });
});

test('an upload that cannot be written, or read, says why', async () => {
  const target = join(sshd.dir, 'target');
  await writeFile(target, '');
  const below = { guestPath: join(target, 'below'), mode: 0o600, source: { content: 'x' } };
  await expect(session.upload([below], never)).rejects.toMatchObject({
    code: 'BUILD_STEP_FAILED',
    details: { tail: expect.arrayContaining([expect.stringContaining('Not a directory')]) },
  });
  const missing = { guestPath: target, mode: 0o600, source: { hostPath: join(root, 'nosuch') } };
  await expect(session.upload([missing], never)).rejects.toMatchObject({ code: 'ENOENT' });
  expect(await bash('echo alive')).toMatchObject({ tail: ['alive'] });
});

test('a tree arrives with modes, odd names and symlinks, and leads nowhere else', async () => {
  const tree = join(root, 'tree');
  await mkdir(join(tree, 'sub dir/deep'), { recursive: true });
  await mkdir(join(tree, 'empty'), { mode: 0o750 });
  await writeFile(join(tree, 'new\nline'), 'n');
  await writeFile(join(tree, 'sub dir/deep/run'), 'r', { mode: 0o755 });
  await symlink('/etc', join(tree, 'outside'));
  await symlink('../new\nline', join(tree, 'sub dir/link'));
  await symlink(`/${'long/'.repeat(40)}`, join(tree, 'long link'));
  const target = join(sshd.dir, 'real');
  await mkdir(target, { mode: 0o711 });
  await symlink('real', join(sshd.dir, 'via'));
  await writeFile(join(target, 'there'), 'before');
  await session.uploadTree(tree, join(sshd.dir, 'via'), never);
  expect(await readlink(join(sshd.dir, 'via'))).toBe('real');
  expect((await stat(target)).mode & 0o777).toBe(0o711);
  expect(await readFile(join(target, 'there'), 'utf8')).toBe('before');
  expect(await readFile(join(target, 'new\nline'), 'utf8')).toBe('n');
  expect((await stat(join(target, 'sub dir/deep/run'))).mode & 0o777).toBe(0o755);
  expect((await stat(join(target, 'empty'))).mode & 0o777).toBe(0o750);
  expect(await readlink(join(target, 'outside'))).toBe('/etc');
  expect(await readlink(join(target, 'sub dir/link'))).toBe('../new\nline');
  expect(await readlink(join(target, 'long link'))).toBe(`/${'long/'.repeat(40)}`);
  await session.uploadTree(tree, join(sshd.dir, 'made/newly'), never);
  expect(await readFile(join(sshd.dir, 'made/newly/sub dir/deep/run'), 'utf8')).toBe('r');
});

test('a large file goes through in bounded memory', async () => {
  const large = join(root, 'large');
  await writeFile(large, '');
  await truncate(large, 100 * MIB);
  const before = process.memoryUsage().rss;
  let peak = before;
  const sampler = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage().rss);
  }, 20);
  const started = performance.now();
  try {
    await session.upload([{ guestPath: join(sshd.dir, 'large'), mode: 0o600, source: { hostPath: large } }], never);
  } finally {
    clearInterval(sampler);
  }
  const seconds = (performance.now() - started) / 1000;
  expect((await stat(join(sshd.dir, 'large'))).size).toBe(100 * MIB);
  expect((peak - before) / MIB).toBeLessThan(90);
  expect(seconds).toBeLessThan(30);
  console.log(`upload: ${(100 / seconds).toFixed(0)} MB/s, ${((peak - before) / MIB).toFixed(0)} MiB more memory`);
});

test('an upload can be aborted on its way', async () => {
  const endless = join(root, 'endless');
  await writeFile(endless, '');
  await truncate(endless, 20 * 1024 * MIB);
  const controller = new AbortController();
  const target = join(sshd.dir, 'endless');
  const uploading = session.upload(
    [{ guestPath: target, mode: 0o600, source: { hostPath: endless } }],
    controller.signal,
  );
  uploading.catch(() => undefined);
  await expect
    .poll(async () => (await stat(target).catch(() => undefined))?.size ?? 0, { interval: 20 })
    .toBeGreaterThan(0);
  controller.abort(new AppError('OPERATION_CANCELLED', 'cancelled by the test'));
  await expect(uploading).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' });
  expect(await bash('echo alive')).toMatchObject({ tail: ['alive'] });
});

test('another host key than the pinned one fails at once', async () => {
  const started = performance.now();
  await expect(
    shell.connect({ ...sshd.target, hostPublicKey: otherKey }, { timeoutMs: 20_000 }, never),
  ).rejects.toMatchObject({ code: 'GUEST_UNREACHABLE', message: expect.stringContaining('another host key') });
  expect(performance.now() - started).toBeLessThan(5000);
});

test('waits for a server that comes later', async () => {
  const port = await freePort();
  const target = { ...sshd.target, port };
  const greeting = shell.awaitGreeting(target, { timeoutMs: 10_000 }, never);
  const connecting = shell.connect(target, { timeoutMs: 10_000 }, never);
  // A door to the real sshd, opened once both have found it closed.
  await using door = await listen(port, (socket) => {
    const onward = createConnection({ host: '127.0.0.1', port: sshd.target.port });
    socket.pipe(onward).pipe(socket);
    for (const each of [socket, onward]) each.on('error', () => each.destroy());
    socket.on('close', () => onward.destroy());
  });
  expect(door.listening).toBe(true);
  await greeting;
  await using late = await connecting;
  expect(await late.run({ program: '/bin/true', timeoutMs: 5000 }, never)).toMatchObject({ exitStatus: 0 });
});

test('nobody at the address, within the bound', async () => {
  const target = { ...sshd.target, port: await freePort() };
  const refused = { code: 'GUEST_UNREACHABLE', message: expect.stringContaining('ECONNREFUSED') };
  await expect(shell.connect(target, { timeoutMs: 500 }, never)).rejects.toMatchObject(refused);
  await expect(shell.awaitGreeting(target, { timeoutMs: 500 }, never)).rejects.toMatchObject(refused);
});

const garbage = Buffer.alloc(512 * 1024, 'no ssh here\n');

test.each<[string, (socket: Socket) => void]>([
  ['never answers', () => undefined],
  ['closes at once', (socket) => socket.destroy()],
  ['talks garbage', (socket) => socket.write(garbage)],
  [
    'talks garbage after its greeting',
    (socket) => socket.write(Buffer.concat([Buffer.from('SSH-2.0-x\r\n'), garbage])),
  ],
  ['greets and says no more', (socket) => socket.write('SSH-2.0-x\r\n')],
])('a server that %s is given up within the bound', async (_, behave) => {
  const port = await freePort();
  await using server = await listen(port, behave);
  expect(server.listening).toBe(true);
  const target: GuestTarget = { ...sshd.target, port };
  const started = performance.now();
  await expect(shell.connect(target, { timeoutMs: 1000 }, never)).rejects.toMatchObject({ code: 'GUEST_UNREACHABLE' });
  expect(performance.now() - started).toBeLessThan(3000);
});

test('waiting can be aborted, with the reason kept', async () => {
  const port = await freePort();
  const connected = Promise.withResolvers<void>();
  await using server = await listen(port, () => connected.resolve());
  expect(server.listening).toBe(true);
  const target = { ...sshd.target, port };
  const controller = new AbortController();
  const waits = [
    shell.connect(target, { timeoutMs: 60_000 }, controller.signal),
    shell.awaitGreeting(target, { timeoutMs: 60_000 }, controller.signal),
  ].map((wait) => expect(wait).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' }));
  await connected.promise;
  controller.abort(new AppError('OPERATION_CANCELLED', 'cancelled by the test'));
  await Promise.all(waits);
});

async function listen(port: number, onSocket: (socket: Socket) => void): Promise<Server & AsyncDisposable> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.resume();
    onSocket(socket);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return Object.assign(server, {
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  });
}
