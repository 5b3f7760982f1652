import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ProcessError, attach, run, supervise, superviseAnnounced } from '../../../src/host/process.ts';
import { isRunning, waitForLine } from '../../support/process-evidence.ts';
import { makeTempDir } from '../../support/temp-dir.ts';

const sh = (script: string, ...args: string[]): [string, ...string[]] => ['/bin/sh', '-c', script, 'sh', ...args];

async function failureOf(work: Promise<unknown>): Promise<ProcessError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ProcessError)) throw new Error(`expected a ProcessError, got ${String(error)}`);
  return error;
}

describe('run', () => {
  test('returns both streams and the status', async () => {
    const result = await run(sh('echo out; echo err >&2'));
    expect(result).toEqual({ stdout: 'out\n', stderr: 'err\n', exitStatus: 0 });
  });

  test('arguments reach the program as they are: no shell looks at them', async () => {
    const hostile = ['$(reboot)', '; reboot', "'", '"', '\\', 'a b', '', '*', '\n'];
    const { stdout } = await run(['printf', '%s\\0', ...hostile]);
    expect(stdout.split('\0').slice(0, -1)).toEqual(hostile);
  });

  test('input is written, and an end that comes before all of it was read is no failure', async () => {
    expect((await run(['cat'], { input: 'ångström\n' })).stdout).toBe('ångström\n');
    expect((await run(['true'], { input: 'x'.repeat(4 * 1024 * 1024) })).exitStatus).toBe(0);
  });

  test('input may come as a stream, as fast as it is read; its failure is the run’s', async () => {
    let read = 0;
    const chunks = async function* (count: number, failure?: Error): AsyncGenerator<Buffer> {
      for (read = 0; read < count; read += 1) yield Buffer.alloc(100_000, 'x');
      if (failure) throw failure;
    };
    expect((await run(['wc', '-c'], { input: chunks(50) })).stdout).toBe('5000000\n');
    await expect(run(['cat'], { input: chunks(2, new Error('the disk is gone')) })).rejects.toThrow('the disk is gone');
    // A program that reads nothing is not waited for, and is not sent everything.
    expect((await run(['true'], { input: chunks(100_000) })).exitStatus).toBe(0);
    expect(read).toBeLessThan(1000);
  });

  test('without input, stdin is empty: nothing waits for a terminal', async () => {
    expect((await run(['cat'])).stdout).toBe('');
  });

  test('a failing program is told by its status and its last words', async () => {
    const error = await failureOf(run(sh('echo one; echo two >&2; exit 3')));
    expect(error).toMatchObject({
      failure: 'exit',
      program: '/bin/sh',
      exitStatus: 3,
      stdout: 'one\n',
      stderr: 'two\n',
    });
    expect(error.message).toBe('/bin/sh ended with status 3: two');
  });

  test('a status may be declared to be fine', async () => {
    expect((await run(sh('exit 2'), { okStatuses: [0, 2] })).exitStatus).toBe(2);
    expect(await failureOf(run(sh('exit 1'), { okStatuses: [0, 2] }))).toMatchObject({
      failure: 'exit',
      exitStatus: 1,
    });
  });

  test('a program ended by a signal is told so', async () => {
    const error = await failureOf(run(sh('kill -SEGV $$')));
    expect(error.failure).toBe('signal');
    expect(error.message).toContain('SIGSEGV');
  });

  test.each([
    ['a program that is not there', ['banger-no-such-program'], 'not-found', 'is not installed, or not on PATH'],
    ['a path that is not there', ['/no/such/program'], 'not-found', 'is not installed'],
    ['a file that is no program', ['/etc/passwd'], 'not-started', 'EACCES'],
    ['a path through a file', ['/etc/passwd/x'], 'not-started', 'ENOTDIR'],
    ['an argument with a NUL', ['true', 'a\0b'], 'not-started', 'could not be started'],
    ['too many arguments', ['true', 'x'.repeat(200_000)], 'not-started', 'E2BIG'],
  ] satisfies [string, [string, ...string[]], string, string][])('%s', async (_what, argv, failure, words) => {
    const error = await failureOf(run(argv));
    expect(error.failure).toBe(failure);
    expect(error.message).toContain(words);
  });

  test('a folder that is not there is not taken for a missing program', async () => {
    const error = await failureOf(run(['true'], { cwd: '/no/such/folder' }));
    expect(error).toMatchObject({ failure: 'not-started' });
    expect(error.message).toContain('/no/such/folder does not exist');
  });

  test('environment: ours, with what is added, without what is taken out', async () => {
    process.env['BANGER_TEST_LEFT_OUT'] = 'yes';
    onTestFinished(() => {
      delete process.env['BANGER_TEST_LEFT_OUT'];
    });
    const { stdout } = await run(['env'], { env: { BANGER_TEST_ADDED: 'a b', BANGER_TEST_LEFT_OUT: undefined } });
    expect(stdout).toContain('BANGER_TEST_ADDED=a b\n');
    expect(stdout).not.toContain('BANGER_TEST_LEFT_OUT');
  });

  test('programs of the system are found without their folders on PATH', async () => {
    const path = process.env['PATH'];
    process.env['PATH'] = '/usr/bin:/bin';
    onTestFinished(() => {
      process.env['PATH'] = path;
    });
    expect((await run(['ip', '-V'])).stdout).toContain('iproute2');
  });

  test('each line is handed on as it comes, the last one without its newline too', async () => {
    const lines: string[] = [];
    await run(sh('echo one; echo two >&2; printf three'), {
      onLine: (line, stream) => lines.push(`${stream}:${line}`),
    });
    expect(lines.toSorted()).toEqual(['stderr:two', 'stdout:one', 'stdout:three']);
  });

  test('output is bounded, and its end is what is kept', async () => {
    const { stdout } = await run(sh('i=0; while [ $i -lt 20000 ]; do echo "line $i å"; i=$((i+1)); done'), {
      maxOutputBytes: 1000,
    });
    expect(Buffer.byteLength(stdout)).toBeLessThanOrEqual(1002);
    expect(stdout.endsWith('line 19999 å\n')).toBe(true);
  });
});

describe('run, cut short', () => {
  test('past its deadline the program and its children are gone, also those that ignore SIGTERM', async ({
    signal,
  }) => {
    const dir = await makeTempDir();
    const pidFile = join(dir, 'pid');
    // The grandchild holds none of our pipes, so that only its group leads to it.
    const script = `sh -c 'trap "" TERM; echo $$ > "$1"; while :; do sleep 1; done' sh "$1" </dev/null >/dev/null 2>&1 & wait`;
    const started = waitForLine(pidFile, signal);
    const work = failureOf(run(sh(script, pidFile), { timeoutMs: 1_000 }));
    const grandchild = Number(await started);
    expect(isRunning(grandchild)).toBe(true);
    const error = await work;
    expect(error).toMatchObject({ failure: 'timeout' });
    expect(error.message).toContain('ran longer than 1000 ms');
    await expect.poll(() => isRunning(grandchild)).toBe(false);
  });

  test('a program that ignores SIGTERM is killed', async () => {
    const error = await failureOf(run(sh('trap "" TERM; while :; do sleep 1; done'), { timeoutMs: 100 }));
    expect(error.failure).toBe('timeout');
  });

  test('a process that left the group and holds the pipes does not hold us', async ({ signal }) => {
    const pidFile = join(await makeTempDir(), 'pid');
    const script = `setsid sh -c 'echo $$ > "$1"; exec sleep 1000' sh "$1" & sleep 1000`;
    const started = waitForLine(pidFile, signal);
    const abort = new AbortController();
    const work = failureOf(run(sh(script, pidFile), { signal: abort.signal }));
    const escaped = Number(await started);
    onTestFinished(() => void process.kill(escaped, 'SIGKILL'));
    abort.abort();
    expect((await work).failure).toBe('aborted');
    expect(isRunning(escaped)).toBe(true);
  });

  test('an abort ends it; what it said so far is kept', async () => {
    const abort = new AbortController();
    const work = run(sh('echo said; exec sleep 1000'), { signal: abort.signal, onLine: () => abort.abort() });
    expect(await failureOf(work)).toMatchObject({ failure: 'aborted', stdout: 'said\n' });
  });

  test('nothing is started under a signal that is aborted already', async () => {
    const file = join(await makeTempDir(), 'made');
    const error = await failureOf(run(['touch', file], { signal: AbortSignal.abort() }));
    expect(error.failure).toBe('aborted');
    await expect(stat(file)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('a program that ends in time is not touched by its deadline', async () => {
    expect((await run(['true'], { timeoutMs: 30_000 })).exitStatus).toBe(0);
  });
});

describe('run, of a program that ends with us', () => {
  test('it is killed when we are, though nothing could be told to it', async ({ signal }) => {
    const dir = await makeTempDir();
    const pidFile = join(dir, 'pid');
    const argv = sh(`trap '' TERM HUP; echo $$ > "$1"; while :; do sleep 1; done`, pidFile);
    const started = waitForLine(pidFile, signal);
    const us = await supervise(starter(`await door.run(${JSON.stringify(argv)}, { endsWithUs: true });`), {
      logPath: join(dir, 'log'),
    });
    const program = Number(await started);
    onTestFinished(() => {
      if (isRunning(program)) process.kill(program, 'SIGKILL');
    });
    process.kill(us.pid, 'SIGKILL');
    await expect.poll(() => isRunning(program), { timeout: 10_000 }).toBe(false);
  });

  test('all else is as ever', async () => {
    const { stdout, exitStatus } = await run(sh('echo "$0 $1"; cat; exit 2', 'x'), {
      endsWithUs: true,
      input: 'read',
      okStatuses: [2],
    });
    expect({ stdout, exitStatus }).toEqual({ stdout: 'sh x\nread', exitStatus: 2 });
    expect(await failureOf(run(sh('exit 127'), { endsWithUs: true }))).toMatchObject({ failure: 'exit' });
    expect(await failureOf(run(['banger-no-such-program'], { endsWithUs: true }))).toMatchObject({
      failure: 'not-found',
      message: 'banger-no-such-program is not installed, or not on PATH',
    });
  });
});

describe('attach', () => {
  test.each([
    ['exit 0', 0],
    ['exit 7', 7],
    ['kill -TERM $$', 143],
    ['kill -KILL $$', 137],
  ])('%s gives status %i', async (script, status) => {
    expect(await attach(sh(script))).toBe(status);
  });

  test('a missing program is told as such, and no signal handler is left behind', async () => {
    const before = process.listenerCount('SIGINT');
    expect(await failureOf(attach(['banger-no-such-program']))).toMatchObject({ failure: 'not-found' });
    expect(process.listenerCount('SIGINT')).toBe(before);
  });
});

/** A program of our own that starts another and ends at once. */
function starter(call: string): [string, ...string[]] {
  const door = join(import.meta.dirname, '../../../src/host/process.ts');
  return [
    process.execPath,
    '--input-type=module-typescript',
    '-e',
    `import * as door from ${JSON.stringify(door)};\n${call}`,
  ];
}

describe('supervise', () => {
  test('the program outlives whoever started it, in a session of its own', async () => {
    const logPath = join(await makeTempDir(), 'log');
    const { stdout } = await run(
      starter(`
        const { pid } = await door.supervise(['sleep', '1000'], { logPath: ${JSON.stringify(logPath)} });
        console.log(pid);`),
    );
    const pid = Number(stdout);
    onTestFinished(() => void process.kill(pid, 'SIGKILL'));
    expect(isRunning(pid)).toBe(true);
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // Field 6 of /proc/PID/stat: its session is its own.
    expect(Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3])).toBe(pid);
  });

  test('both streams go to a private log, after what is there', async () => {
    const logPath = join(await makeTempDir(), 'log');
    const first = await supervise(sh('echo one'), { logPath });
    expect(await first.exited).toEqual({ exitStatus: 0, signal: null });
    const second = await supervise(sh('echo two >&2; exit 4'), { logPath });
    expect(await second.exited).toEqual({ exitStatus: 4, signal: null });
    expect(await readFile(logPath, 'utf8')).toBe('one\ntwo\n');
    expect((await stat(logPath)).mode & 0o777).toBe(0o600);
  });

  test('an end by a signal is told', async () => {
    const logPath = join(await makeTempDir(), 'log');
    const { pid, exited } = await supervise(['sleep', '1000'], { logPath });
    process.kill(pid, 'SIGKILL');
    expect(await exited).toEqual({ exitStatus: null, signal: 'SIGKILL' });
  });

  test('a missing program is told', async () => {
    const logPath = join(await makeTempDir(), 'log');
    expect(await failureOf(supervise(['banger-no-such-program'], { logPath }))).toMatchObject({ failure: 'not-found' });
  });

  test('a program announces that it is ready', async () => {
    const logPath = join(await makeTempDir(), 'log');
    const { pid, announced, exited } = await superviseAnnounced(sh('echo logged >&2; echo ready; exec sleep 1000'), {
      logPath,
    });
    expect(await announced).toBe('ready');
    expect(await readFile(logPath, 'utf8')).toBe('logged\n');
    process.kill(pid, 'SIGKILL');
    expect(await exited).toMatchObject({ signal: 'SIGKILL' });
  });

  test('a program that ends without announcing anything is told too', async () => {
    const logPath = join(await makeTempDir(), 'log');
    const { announced, exited } = await superviseAnnounced(sh('exit 1'), { logPath });
    expect(await announced).toBeUndefined();
    expect(await exited).toEqual({ exitStatus: 1, signal: null });
  });
});
