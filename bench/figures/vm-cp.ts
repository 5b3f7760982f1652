/** A file copied into a guest, against scp. */
import { randomBytes } from 'node:crypto';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../src/host/process.ts';
import type { Bench } from '../bench.ts';
import type { Figure, RunPlan, Series } from '../figure.ts';
import { makeWorkDir } from '../guest.ts';
import { inTurn, timed } from '../in-turn.ts';
import { keepSsh } from '../kept-ssh.ts';
import { perPair } from '../progress.ts';
import { withUndo } from '../with-undo.ts';

const MINUTE_MS = 60_000;
const TIMEOUT_MS = 10 * MINUTE_MS;
const MB = 1_000_000;
/** A guest in software takes a few megabytes a second, whoever sends them. */
const SIZES_BYTES = { kvm: 500 * MB, tcg: 50 * MB } as const;

export const vmCp: Figure = {
  name: 'vm-cp',
  runs: 3,
  budgetMs: 8 * MINUTE_MS,
  usualMs: 3 * MINUTE_MS,
  needs: 'guest',
  measure,
};

async function measure(bench: Bench, plan: RunPlan): Promise<readonly Series[]> {
  const { banger } = bench;
  const { vm, access } = await bench.guest();
  const sizeBytes = SIZES_BYTES[vm.accelerator ?? 'tcg'];
  const title = `vm cp of ${sizeBytes / MB} MB`;
  return withUndo(async (undo) => {
    const dir = await makeWorkDir(banger, undo);
    const file = join(dir, 'random');
    await writeRandom(file, sizeBytes);
    await banger.run(['vm', 'start', vm.name], plan.signal);
    undo.add(`the running of ${vm.name}`, async () => void (await banger.run(['vm', 'stop', vm.name])));
    const ssh = await keepSsh(banger, access, { dir, undo, signal: plan.signal });
    const clear = (signal: AbortSignal): Promise<string> =>
      banger.run(['vm', 'exec', vm.name, '--', 'rm -f /root/copied; sync'], signal);
    const sides = {
      async banger(signal: AbortSignal): Promise<number> {
        await clear(signal);
        return timed(() => banger.run(['vm', 'cp', file, `${vm.name}:/root/copied`], signal));
      },
      async byHand(signal: AbortSignal): Promise<number> {
        await clear(signal);
        return timed(() => run(ssh.copy(file, '/root/copied'), { env: ssh.env, signal, timeoutMs: TIMEOUT_MS }));
      },
    };
    const samples = await inTurn(sides, plan, perPair(bench, title, plan));
    return [{ ...samples, title, unit: 'ms', goal: { of: 'ratio', atMost: 1 }, against: '`scp`' }];
  });
}

/** Nothing on the way can make it smaller. */
async function writeRandom(path: string, sizeBytes: number): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    for (let written = 0; written < sizeBytes; written += MB) await file.write(randomBytes(MB));
  } finally {
    await file.close();
  }
}
