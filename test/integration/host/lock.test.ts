import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { run, supervise, superviseAnnounced } from '../../../src/host/process.ts';
import { isRunning } from '../../support/process-evidence.ts';
import { makeTempDir } from '../../support/temp-dir.ts';

const SOURCES = join(import.meta.dirname, '../../../src/host');

let dir: string;
let lock: string;

beforeEach(async () => {
  dir = await makeTempDir();
  lock = join(dir, 'lock');
});

/** A program of our own that takes the lock, says whether it has it, and goes on with `then`. */
function holder(then: string): [string, ...string[]] {
  const program = `
    import { holdLock } from ${JSON.stringify(join(SOURCES, 'lock.ts'))};
    import { supervise } from ${JSON.stringify(join(SOURCES, 'process.ts'))};
    const held = await holdLock(${JSON.stringify(lock)});
    ${then}`;
  return [process.execPath, '--input-type=module-typescript', '-e', program];
}

/** Starts a program that is killed at the test's end. @returns its pid and its first line. */
async function start(argv: [string, ...string[]]): Promise<{ pid: number; line: string | undefined }> {
  const { pid, announced } = await superviseAnnounced(argv, { logPath: join(dir, 'log') });
  onTestFinished(() => {
    if (isRunning(pid)) process.kill(pid, 'SIGKILL');
  });
  return { pid, line: await announced };
}

async function isFree(): Promise<boolean> {
  const { exitStatus } = await run(['flock', '--nonblock', lock, 'true'], { okStatuses: [0, 1] });
  return exitStatus === 0;
}

const STAY = `console.log(held); setInterval(() => undefined, 60_000);`;

test('one has it, in a file of its own alone; another is told at once', async () => {
  expect(await start(holder(STAY))).toMatchObject({ line: 'true' });
  expect((await stat(lock)).mode & 0o777).toBe(0o600);
  expect((await run(holder('console.log(held);'))).stdout).toBe('false\n');
  expect(await isFree()).toBe(false);
});

test('a program that takes the holder’s place by exec has it on, until it is killed', async () => {
  const script = 'echo "$$ $1"; exec sleep 1000';
  const { pid, line } = await start(
    holder(`process.execve('/bin/sh', ['sh', '-c', ${JSON.stringify(script)}, 'sh', String(held)], process.env);`),
  );
  expect(line).toBe(`${pid} true`);
  expect(await isFree()).toBe(false);
  process.kill(pid, 'SIGKILL');
  await expect.poll(isFree, { timeout: 10_000 }).toBe(true);
});

test('Node in the holder’s place has it too, and what that starts has not', async () => {
  const logPath = JSON.stringify(join(dir, 'log'));
  const child = `
    const { supervise } = await import(${JSON.stringify(join(SOURCES, 'process.ts'))});
    const { pid } = await supervise(['sleep', '1000'], { logPath: ${logPath} });
    console.log(pid);
    setInterval(() => undefined, 60_000);`;
  const argv = JSON.stringify([process.execPath, '--input-type=module', '-e', child]);
  const { pid, line } = await start(holder(`process.execve(process.execPath, ${argv}, process.env);`));
  const started = Number(line);
  onTestFinished(() => void process.kill(started, 'SIGKILL'));
  expect(isRunning(started)).toBe(true);
  expect(await isFree()).toBe(false);
  process.kill(pid, 'SIGKILL');
  await expect.poll(isFree, { timeout: 10_000 }).toBe(true);
  expect(isRunning(started)).toBe(true);
});

test('what the holder itself starts does not hold it', async () => {
  const logPath = JSON.stringify(join(dir, 'log'));
  const { pid, line } = await start(
    holder(`const { pid } = await supervise(['sleep', '1000'], { logPath: ${logPath} }); console.log(pid); ${STAY}`),
  );
  onTestFinished(() => void process.kill(Number(line), 'SIGKILL'));
  process.kill(pid, 'SIGKILL');
  await expect.poll(isFree, { timeout: 10_000 }).toBe(true);
  expect(isRunning(Number(line))).toBe(true);
});

test('a lock that another program holds is respected', async () => {
  const { exited } = await supervise(['flock', lock, 'true'], { logPath: join(dir, 'log') });
  await exited;
  await start(['flock', lock, 'sh', '-c', 'echo held; exec sleep 1000']);
  expect((await run(holder('console.log(held);'))).stdout).toBe('false\n');
});
