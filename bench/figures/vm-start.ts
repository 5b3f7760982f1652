/** From `vm start` to ssh, against QEMU started by hand with the same kernel, initrd and disk. */
import { join } from 'node:path';
import { machineFiles } from '../../src/host/paths.ts';
import { run } from '../../src/host/process.ts';
import type { Bench } from '../bench.ts';
import { MACHINE_SCRIPT, machineEnvironment } from '../by-hand/hand-machine.ts';
import type { Figure, RunPlan, Series } from '../figure.ts';
import { makeWorkDir } from '../guest.ts';
import { inTurn, timed } from '../in-turn.ts';
import { perPair } from '../progress.ts';
import { withUndo } from '../with-undo.ts';

const TITLE = 'vm start to ssh';
const MINUTE_MS = 60_000;
/** A guest in software takes 15 s to ssh and 5 s to power off. */
const RUN_TIMEOUT_MS = 3 * MINUTE_MS;

export const vmStart: Figure = {
  name: 'vm-start',
  runs: 5,
  budgetMs: 12 * MINUTE_MS,
  usualMs: 4 * MINUTE_MS,
  needs: 'guest',
  measure,
};

async function measure(bench: Bench, plan: RunPlan): Promise<readonly Series[]> {
  const { banger } = bench;
  const { vm, image, access, addresses, network } = await bench.guest();
  const files = machineFiles(join(banger.paths.vmsDir, vm.id), join(banger.paths.machinesDir, vm.id));
  return withUndo(async (undo) => {
    const workDir = await makeWorkDir(banger, undo);
    const disk = join(workDir, 'disk.ext4');
    // banger's own disk, with the guest's key and network in it: both guests do the same.
    await run(['cp', '--sparse=always', files.disk, disk], { signal: plan.signal });
    const machine = {
      vm,
      boot: image.boot,
      access,
      addresses,
      network,
      hostname: vm.name,
      consolePath: join(workDir, 'console.log'),
    };
    const env = { ...(await machineEnvironment(machine)), BENCH_DISK: disk };
    const readyMs: number[] = [];
    const sides = {
      async banger(signal: AbortSignal): Promise<number> {
        const durationMs = await timed(async () => {
          readyMs.push(await timed(() => banger.run(['vm', 'start', vm.name], signal)));
          await banger.run(['vm', 'ssh', vm.name, '--', 'true'], signal);
        });
        await banger.run(['vm', 'stop', vm.name], signal);
        return durationMs;
      },
      byHand: (signal: AbortSignal) => startByHand(network.inside, env, signal),
    };
    const samples = await inTurn(sides, plan, perPair(bench, TITLE, plan));
    const common = { unit: 'ms', byHand: samples.byHand, against: 'qemu-system-x86_64 by hand to `ssh true`' } as const;
    return [
      { ...common, title: TITLE, banger: samples.banger, goal: { of: 'ratio', atMost: 1.05 } },
      // By then the guest's agent has told that sshd listens; nobody has logged in yet.
      { ...common, title: 'vm start to ready', banger: readyMs, goal: { of: 'ratio', atMost: 1 } },
    ];
  });
}

async function startByHand(
  inside: (argv: readonly [string, ...string[]]) => readonly [string, ...string[]],
  env: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<number> {
  let readyMs = Number.NaN;
  const startedMs = performance.now();
  await run(inside(['bash', MACHINE_SCRIPT, 'start']), {
    env,
    signal,
    timeoutMs: RUN_TIMEOUT_MS,
    onLine: (line) => {
      if (line === 'ready') readyMs = performance.now();
    },
  });
  return readyMs - startedMs;
}
