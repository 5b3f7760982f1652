import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createGuestShell } from '../../../src/adapters/ssh/guest-shell.ts';
import { createSshKeys } from '../../../src/adapters/ssh/keys.ts';
import type { GuestProgram, GuestProgramSpec } from '../../../src/core/vms/guest-program.ts';
import type { GuestSession } from '../../../src/core/vms/ports.ts';
import { identifyProcess } from '../../../src/host/process-identity.ts';
import { type LocalSshd, startSshd } from '../../support/sshd.ts';

const never = new AbortController().signal;

let root: string;
let sshd: LocalSshd;
let session: GuestSession;
let connect: () => Promise<GuestSession>;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'banger-attached-'));
  const keys = createSshKeys({ sshDir: root, knownHostsPath: join(root, 'known_hosts'), userKeyPath: undefined });
  sshd = await startSshd({ hostKey: await keys.generateHostKey(), clientPublicKey: await keys.clientPublicKey() });
  const shell = createGuestShell({ privateKey: () => keys.clientPrivateKey() });
  connect = () => shell.connect(sshd.target, { timeoutMs: 10_000 }, never);
  session = await connect();
});

afterAll(async () => {
  await session?.[Symbol.asyncDispose]();
  await sshd?.stop();
  await rm(root, { recursive: true, force: true });
});

const open = (command: readonly string[], more: Omit<GuestProgramSpec, 'command'> = {}): Promise<GuestProgram> =>
  session.open({ command, ...more }, never);

async function outcome(program: GuestProgram): Promise<{ stdout: string; stderr: string; end: unknown }> {
  const [stdout, stderr] = await Promise.all([text(program.stdout), text(program.stderr)]);
  return { stdout, stderr, end: await program.ended };
}

async function run(command: readonly string[], more: Omit<GuestProgramSpec, 'command'> = {}) {
  const program = await open(command, more);
  program.endInput();
  return outcome(program);
}

/** Reads stdout until a line is whole. */
async function firstLine(program: GuestProgram): Promise<string> {
  let heard = '';
  // The iterator is left open: the program goes on.
  const chunks = program.stdout[Symbol.asyncIterator]();
  while (!heard.includes('\n')) heard += String((await chunks.next()).value);
  return heard.slice(0, heard.indexOf('\n')).trim();
}

async function waitUntilGone(pid: number): Promise<void> {
  await expect.poll(() => identifyProcess(pid), { interval: 20, timeout: 8000 }).toBeUndefined();
}

describe('a program with streams', () => {
  test('several words are a program and its arguments, as they are', async () => {
    const words = ['a b', "it's", '$HOME', '*', '-n', '', 'x;y', 'é\\n', 'two\nlines'];
    expect(await run(['printf', '%s|', ...words])).toMatchObject({
      stdout: words.map((word) => `${word}|`).join(''),
      end: { exitStatus: 0 },
    });
  });

  test('one word is shell text, whatever is in it', async () => {
    expect(await run(['echo one; echo two three | wc -w; echo err >&2; exit 3'])).toEqual({
      stdout: 'one\n2\n',
      stderr: 'err\n',
      end: { exitStatus: 3 },
    });
    expect(await run(['cat <<X # a comment\n$((1+1))\nX'])).toMatchObject({ stdout: '2\n' });
    expect(await run(['echo "unclosed'])).toMatchObject({ stdout: '', end: { exitStatus: 2 } });
  });

  test('bytes of every value go through it and back unchanged', async () => {
    const program = await open(['cat']);
    const sent = randomBytes(3_000_000);
    const back = buffer(program.stdout);
    for (let at = 0; at < sent.length; at += 70_000) await program.write(sent.subarray(at, at + 70_000));
    program.endInput();
    await text(program.stderr);
    expect((await back).equals(sent)).toBe(true);
    expect(await program.ended).toEqual({ exitStatus: 0 });
  });

  test('variables, folder and what is not there', async () => {
    const env = { GREETING: "it's $HOME", UID: '7' };
    expect(await run(['echo "$GREETING"; pwd'], { env, workdir: { path: '/usr', required: true } })).toMatchObject({
      stdout: "it's $HOME\n/usr\n",
    });
    expect(await run(['printenv', 'UID'], { env })).toMatchObject({ stdout: '7\n' });
    const absent = { path: '/no such/folder', required: true };
    expect(await run(['pwd'], { workdir: absent })).toMatchObject({ stdout: '', end: { exitStatus: 126 } });
    expect(await run(['pwd'], { workdir: { ...absent, required: false } })).toMatchObject({
      stderr: '',
      end: { exitStatus: 0 },
    });
    expect(await run(['/no/such/program'])).toMatchObject({ end: { exitStatus: 127 } });
  });

  test('a program that a signal ended says so', async () => {
    expect(await run(['kill -TERM $$'])).toMatchObject({ end: { signal: 'TERM' } });
  });

  test('a terminal has the size it was given, and then another', async () => {
    const program = await open(['stty size; read line; stty size'], {
      terminal: { type: 'xterm', columns: 91, rows: 17 },
    });
    expect(await firstLine(program)).toBe('17 91');
    program.resize({ columns: 200, rows: 50 });
    await program.write(Buffer.from('\n'));
    expect(await text(program.stdout)).toContain('50 200\r\n');
    expect(await program.ended).toEqual({ exitStatus: 0 });
  });
});

describe('ends of it', () => {
  test('a signal reaches the whole group', async () => {
    const program = await open(['sleep 300 & echo $!; wait']);
    const child = Number(await firstLine(program));
    program.signal('TERM');
    await expect(program.ended).resolves.toEqual({ signal: 'TERM' });
    await waitUntilGone(child);
  });

  test('a signal that comes before the shell has said its pid is sent when it has', async () => {
    const program = await open(['exec sleep 300']);
    program.signal('INT');
    expect(await outcome(program)).toMatchObject({ end: { signal: 'INT' } });
  });

  test('let go of, it is ended, even where it does not want to', async () => {
    const program = await open(['trap "" HUP TERM; echo $$; while :; do sleep 1; done']);
    const pid = Number(await firstLine(program));
    await program.end();
    await waitUntilGone(pid);
  });

  test('let go of while nobody reads what it says', async () => {
    const program = await open(['echo $$ >&2; exec yes']);
    const pid = Number(String((await program.stderr[Symbol.asyncIterator]().next()).value));
    await program.end();
    await waitUntilGone(pid);
  });

  test('one that leaves another with its stdout behind is over all the same, its output whole', async () => {
    const { stdout, end } = await run(['sleep 20 & head -c 300000 /dev/zero | tr "\\0" x; echo; echo $!']);
    const [said = '', pid] = stdout.split('\n');
    expect(said).toHaveLength(300_000);
    expect(end).toEqual({ exitStatus: 0 });
    process.kill(Number(pid), 'SIGKILL');
  });

  test('a connection that is lost is told', async () => {
    const other = await connect();
    const program = await other.open({ command: ['echo up; sleep 300'] }, never);
    await firstLine(program);
    other.abandon();
    await expect(program.ended).rejects.toMatchObject({ code: 'GUEST_UNREACHABLE' });
    await other.closed;
  });

  test('a hundred at once that end at once all say so', async () => {
    for (let round = 0; round < 20; round += 1) {
      const ends = await Promise.all(Array.from({ length: 5 }, () => run(['true'])));
      for (const { end } of ends) expect(end).toEqual({ exitStatus: 0 });
    }
  });
});

test('what nobody reads is not taken from the guest', async () => {
  const program = await open(['yes']);
  const chunks = program.stdout[Symbol.asyncIterator]();
  await chunks.next();
  const filled = (): number => (program as unknown as { unreadBytes: number }).unreadBytes;
  await expect.poll(filled, { timeout: 5000 }).toBeGreaterThan(1_000_000);
  expect(filled()).toBeLessThan(4 * 2 ** 20);
  // Others on the same connection are none the worse for it.
  expect(await run(['echo fine'])).toMatchObject({ stdout: 'fine\n' });
  expect(filled()).toBeLessThan(4 * 2 ** 20);
  await program.end();
});

test('a command that is longer than the kernel takes is refused before it is sent', async () => {
  await expect(open(['echo', 'x'.repeat(128 * 1024)])).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
  expect((await run(['printf', '%s', 'x'.repeat(127 * 1024)])).stdout).toHaveLength(127 * 1024);
});
