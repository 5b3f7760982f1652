/** A command in a guest through the daemon, against the system's ssh over a connection that is kept. */
import { run } from '../../src/host/process.ts';
import type { Bench } from '../bench.ts';
import type { Figure, RunPlan, Series } from '../figure.ts';
import { makeWorkDir } from '../guest.ts';
import { inTurn, timed } from '../in-turn.ts';
import { keepSsh } from '../kept-ssh.ts';
import { perPair } from '../progress.ts';
import { withUndo } from '../with-undo.ts';

const TITLE = 'vm exec true';
const MINUTE_MS = 60_000;
const TIMEOUT_MS = MINUTE_MS;

export const vmExec: Figure = {
  name: 'vm-exec',
  runs: 20,
  budgetMs: 4 * MINUTE_MS,
  usualMs: MINUTE_MS,
  needs: 'guest',
  measure,
};

async function measure(bench: Bench, plan: RunPlan): Promise<readonly Series[]> {
  const { banger } = bench;
  const { vm, access } = await bench.guest();
  return withUndo(async (undo) => {
    const dir = await makeWorkDir(banger, undo);
    await banger.run(['vm', 'start', vm.name], plan.signal);
    undo.add(`the running of ${vm.name}`, async () => void (await banger.run(['vm', 'stop', vm.name])));
    const ssh = await keepSsh(banger, access, { dir, undo, signal: plan.signal });
    const sides = {
      banger: (signal: AbortSignal) => timed(() => banger.run(['vm', 'exec', vm.name, '--', 'true'], signal)),
      byHand: (signal: AbortSignal) =>
        timed(() => run(ssh.command(['true']), { env: ssh.env, signal, timeoutMs: TIMEOUT_MS })),
    };
    const samples = await inTurn(sides, { ...plan, warmUp: true }, perPair(bench, TITLE, plan));
    const goal = { of: 'ratio', atMost: 1 } as const;
    return [{ ...samples, title: TITLE, unit: 'ms', goal, against: '`ssh true` over a kept connection' }];
  });
}
