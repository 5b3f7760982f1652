import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { hasCode } from '../../../src/host/error-code.ts';
import { hostBootId, identifyProcess, isAlive, signalProcess } from '../../../src/host/process-identity.ts';
import { supervise } from '../../../src/host/process.ts';
import { makeTempDir } from '../../support/temp-dir.ts';

async function startSleeper(): Promise<{ pid: number; exited: Promise<{ signal: NodeJS.Signals | null }> }> {
  const started = await supervise(['sleep', '1000'], { logPath: join(await makeTempDir(), 'log') });
  onTestFinished(() => {
    try {
      process.kill(started.pid, 'SIGKILL');
    } catch (error) {
      if (!hasCode(error, 'ESRCH')) throw error;
    }
  });
  return started;
}

test('we ourselves are alive, and known by pid, start time and boot', async () => {
  const identity = await identifyProcess(process.pid);
  expect(identity).toMatchObject({ pid: process.pid, bootId: await hostBootId() });
  expect(identity?.startTimeTicks).toBeGreaterThan(0);
  expect(identity && (await isAlive(identity))).toBe(true);
});

test('the boot id is the kernel’s own', async () => {
  expect(await hostBootId()).toBe((await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim());
  expect(await hostBootId()).toMatch(/^[0-9a-f-]{36}$/);
});

test('a process whose name holds blanks and parentheses is read right', async () => {
  const sleeper = await startSleeper();
  const plain = await identifyProcess(sleeper.pid);
  const oddName = await supervise(
    ['/bin/bash', '-c', "printf 'a) R 1 (b' > /proc/self/comm; read -r _ < <(exec sleep 1000)"],
    { logPath: join(await makeTempDir(), 'log') },
  );
  onTestFinished(() => void process.kill(-oddName.pid, 'SIGKILL'));
  await expect.poll(() => readFile(`/proc/${oddName.pid}/comm`, 'utf8')).toBe('a) R 1 (b\n');
  const odd = await identifyProcess(oddName.pid);
  expect(odd?.startTimeTicks).toBeGreaterThanOrEqual(plain?.startTimeTicks ?? Number.NaN);
});

test('a signal reaches the very process, and nobody once it is gone', async () => {
  const sleeper = await startSleeper();
  const identity = await identifyProcess(sleeper.pid);
  if (!identity) throw new Error('the sleeper is not there');
  expect(await signalProcess(identity, 'SIGTERM')).toBe(true);
  expect(await sleeper.exited).toMatchObject({ signal: 'SIGTERM' });
  expect(await isAlive(identity)).toBe(false);
  expect(await signalProcess(identity, 'SIGTERM')).toBe(false);
});

test.each([
  ['another start time: the pid was used again', { startTimeTicks: 1 }],
  ['another boot of the host', { bootId: '00000000-0000-0000-0000-000000000000' }],
])('%s', async (_what, difference) => {
  const sleeper = await startSleeper();
  const identity = await identifyProcess(sleeper.pid);
  if (!identity) throw new Error('the sleeper is not there');
  const stale = { ...identity, ...difference };
  expect(await isAlive(stale)).toBe(false);
  expect(await signalProcess(stale, 'SIGKILL')).toBe(false);
  expect(await isAlive(identity)).toBe(true);
});

test('a pid that nobody has', async () => {
  // The kernel's pids end at 2^22 (PID_MAX_LIMIT).
  expect(await identifyProcess(2 ** 22 + 1)).toBeUndefined();
});
