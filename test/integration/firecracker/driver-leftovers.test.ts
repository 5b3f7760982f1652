import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { removeJail } from '../../../src/adapters/firecracker/jail.ts';
import { endUnrecorded } from '../../../src/adapters/firecracker/unrecorded.ts';
import { makeTempDir } from '../../support/temp-dir.ts';
import { isRunning } from '../../support/process-evidence.ts';
import { driverBench, orphanOf } from './driver-bench.ts';

const NEVER = new AbortController().signal;

/** As daemons lay them out: sockets in a folder that is named after the machine. */
async function laidOut(isJailed: boolean) {
  const bench = await driverBench({}, { isJailed });
  const runDir = join(bench.dir, 'stub', bench.spec.id);
  mkdirSync(runDir);
  const spec = {
    ...bench.spec,
    controlSocketPath: join(runDir, 'qmp.sock'),
    agentSocketPath: join(runDir, 'agent.sock'),
  };
  return { ...bench, spec };
}

describe('VMMs that nothing was written down about', () => {
  test.each([false, true])('are ended, and their jails removed (jailed: %s)', async (wanted) => {
    const bench = await laidOut(wanted && process.geteuid?.() === 0);
    const { spec, jailsDir } = bench;
    const identity = await orphanOf(bench, 'identity');
    const elsewhere = join(bench.dir, 'vm-ffffffffff', 'qmp.sock');
    expect(await endUnrecorded([elsewhere], jailsDir)).toEqual([]);
    expect(isRunning(identity.pid)).toBe(true);
    expect(await endUnrecorded([elsewhere, spec.controlSocketPath], jailsDir)).toEqual([spec.controlSocketPath]);
    expect(isRunning(identity.pid)).toBe(false);
    expect(bench.left()).toEqual([]);
  });

  test('need not run: a jail without one is removed by the machine’s id, others stay', async () => {
    const { spec, jailsDir } = await laidOut(false);
    const mine = join(jailsDir, 'firecracker-v1.15', spec.id, 'root');
    const other = join(jailsDir, 'firecracker', 'vm-ffffffffff', 'root');
    for (const dir of [mine, other]) mkdirSync(dir, { recursive: true });
    expect(await endUnrecorded([spec.controlSocketPath], jailsDir)).toEqual([]);
    expect(existsSync(mine)).toBe(false);
    expect(existsSync(other)).toBe(true);
  });
});

describe('a jail', () => {
  test('that an earlier run left is no hindrance', async (context) => {
    if (process.geteuid?.() !== 0) context.skip('needs root');
    const bench = await driverBench({}, { isJailed: true });
    const root = join(bench.jailsDir, 'firecracker', bench.spec.id, 'root');
    mkdirSync(join(root, 'run'), { recursive: true });
    writeFileSync(join(root, 'firecracker.pid'), '1');
    const machine = await bench.engine.start(bench.spec, NEVER);
    expect(statSync(join(root, 'run')).uid).toBe(statSync(root).uid);
    await machine.kill();
    expect(bench.left()).toEqual([]);
  });

  test('goes with its cgroup, and where there is none of either nothing happens', async () => {
    const dir = await makeTempDir();
    const jailDir = join(dir, 'jails', 'firecracker', 'vm-0123456789');
    const cgroup = join(dir, 'cgroup', 'banger', 'vm-0123456789');
    for (const path of [join(jailDir, 'root', 'dev'), cgroup]) mkdirSync(path, { recursive: true });
    await removeJail(jailDir, join(dir, 'cgroup'));
    expect([existsSync(jailDir), existsSync(cgroup)]).toEqual([false, false]);
    await removeJail(jailDir, join(dir, 'cgroup'));
  });

  test('is removed only where the path is a jail’s', async () => {
    const dir = await makeTempDir();
    await expect(removeJail(dir)).rejects.toMatchObject({ code: 'INTERNAL' });
    expect(existsSync(dir)).toBe(true);
  });
});
