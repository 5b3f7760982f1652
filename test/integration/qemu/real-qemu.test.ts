import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { accessSync, chmodSync, constants, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test, type TestContext } from 'vitest';
import { QemuEngine } from '../../../src/adapters/qemu/engine.ts';
import { readHostTsc } from '../../../src/adapters/qemu/host-tsc.ts';
import type { MachineIdentity, MachineSpec } from '../../../src/core/vms/engine.ts';
import { machineSpec } from '../../support/machine-spec.ts';
import { isRunning } from '../../support/process-evidence.ts';
import { makeTempDir } from '../../support/temp-dir.ts';
import { tinyKernel } from '../../support/tiny-kernel.ts';

const NEVER = new AbortController().signal;
const TAP = 'bngr-0123456789';

/** Why a real QEMU cannot be run here; undefined where it can. */
function obstacle(): string | undefined {
  if (process.getuid?.() !== 0) return 'network namespaces and TAPs need root';
  if (spawnSync('qemu-system-x86_64', ['--version']).status !== 0) return 'qemu-system-x86_64 is not installed';
  try {
    accessSync('/dev/net/tun', constants.R_OK | constants.W_OK);
    return undefined;
  } catch (error) {
    return `/dev/net/tun cannot be used: ${String(error)}`;
  }
}

function must(program: string, ...args: string[]): void {
  const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}`);
}

/** A real QEMU inside a network namespace of the test's own, with a TAP there, and a kernel that fits into a sector. */
async function realBench(
  context: TestContext,
): Promise<{ readonly qemuPath: string; readonly engine: QemuEngine; readonly spec: MachineSpec }> {
  const reason = obstacle();
  if (reason !== undefined) context.skip(reason);
  const namespace = `bngr-test-${randomBytes(4).toString('hex')}`;
  must('ip', 'netns', 'add', namespace);
  onTestFinished(() => must('ip', 'netns', 'delete', namespace));
  must('ip', '-n', namespace, 'tuntap', 'add', TAP, 'mode', 'tap');
  // A comma and a colon are letters like any other in a path.
  const dir = join(await makeTempDir(), 'a,b:c');
  mkdirSync(dir);
  const qemuPath = join(dir, 'qemu');
  writeFileSync(qemuPath, `#!/bin/sh\nexec ip netns exec ${namespace} qemu-system-x86_64 "$@"\n`);
  chmodSync(qemuPath, 0o755);
  const { spec, identities } = machineSpec(dir);
  onTestFinished(() => {
    for (const { pid } of identities.filter((identity) => isRunning(identity.pid))) process.kill(pid, 'SIGKILL');
  });
  writeFileSync(spec.kernelPath, tinyKernel('[    0.000000] nothing yet\n[    1.000000] the guest runs\n'));
  writeFileSync(join(dir, 'disk.ext4'), '');
  truncateSync(join(dir, 'disk.ext4'), 2 ** 20);
  const engine = new QemuEngine({ qemuPath, accelerator: 'tcg', bootTimeoutsMs: [30_000], tsc: readHostTsc });
  return { qemuPath, engine, spec };
}

test('takes our whole command line, runs the guest, and lets it power itself off', async (context) => {
  const { engine, spec } = await realBench(context);
  const machine = await engine.start(spec, NEVER);
  expect(readFileSync(spec.consolePath, 'utf8')).toBe('[    0.000000] nothing yet\n[    1.000000] the guest runs\n');
  await machine.pressPowerButton(NEVER);
  expect(await machine.exited).toEqual({ reason: 'guest-shutdown', detail: 'the guest powered off' });
});

test('is ended by kill, with nothing in its log but the news of it', async (context) => {
  const { engine, spec } = await realBench(context);
  const machine = await engine.start(spec, NEVER);
  expect((await machine.kill()).reason).toBe('stopped');
  expect(isRunning(machine.identity.pid)).toBe(false);
  expect(readFileSync(spec.vmmLogPath, 'utf8')).toMatch(/^(qemu-system-x86_64: terminating on signal 15.*\n)?$/);
});

test('outlives whoever started it, and is adopted, let go of and adopted again', async (context) => {
  const { qemuPath, engine, spec } = await realBench(context);
  const starter = spawn(process.execPath, [new URL('start-and-wait.ts', import.meta.url).pathname], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, QEMU_PATH: qemuPath, SPEC: JSON.stringify(spec) },
  });
  const [line] = (await once(createInterface({ input: starter.stdout }), 'line')) as [string];
  starter.kill('SIGKILL');
  await once(starter, 'exit');
  const identity = JSON.parse(line) as MachineIdentity;
  onTestFinished(() => {
    if (isRunning(identity.pid)) process.kill(identity.pid, 'SIGKILL');
  });
  (await engine.adopt(identity))?.release();
  const machine = await engine.adopt(identity);
  await machine?.pressPowerButton(NEVER);
  expect((await machine?.exited)?.reason).toBe('guest-shutdown');
});

test('is paused and resumed, as often as one likes', async (context) => {
  const { engine, spec } = await realBench(context);
  const machine = await engine.start({ ...spec, limits: { diskBytesPerSecond: 2 ** 20 } }, NEVER);
  await machine.pause(NEVER);
  await machine.pause(NEVER);
  machine.release();
  const again = await engine.adopt(machine.identity);
  await again?.resume(NEVER);
  await again?.resume(NEVER);
  await again?.pressPowerButton(NEVER);
  expect((await again?.exited)?.reason).toBe('guest-shutdown');
});

test('a kernel that is none is refused in QEMU’s own words', async (context) => {
  const { engine, spec } = await realBench(context);
  writeFileSync(spec.kernelPath, 'no kernel');
  await expect(engine.start(spec, NEVER)).rejects.toMatchObject({
    code: 'ENGINE_FAILED',
    message: expect.stringMatching(/^QEMU refused to start\. QEMU ended with status 1: qemu: /),
  });
});
