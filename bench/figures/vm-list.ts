/** `banger vm list` with a daemon that runs, against the bare start of the Node that runs it. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../src/host/process.ts';
import type { Bench } from '../bench.ts';
import type { Figure, RunPlan, Series } from '../figure.ts';
import { inTurn, timed } from '../in-turn.ts';
import { residentMb } from '../resident-memory.ts';
import { storeVms } from '../stored-vms.ts';
import { withUndo } from '../with-undo.ts';

const MINUTE_MS = 60_000;
const TIMEOUT_MS = 30_000;

export const vmList: Figure = {
  name: 'vm-list',
  runs: 50,
  budgetMs: 2 * MINUTE_MS,
  usualMs: MINUTE_MS / 4,
  needs: 'nothing',
  measure,
};

const STORED_VMS = 1000;
const MEMORY_GOAL_MB = 100;

async function measure(bench: Bench, plan: RunPlan): Promise<readonly Series[]> {
  const few = await listing(bench, plan, 'vm list');
  return withUndo(async (undo) => {
    await storeVms(bench.banger, STORED_VMS, undo, plan.signal);
    const many = await listing(bench, plan, `vm list of ${STORED_VMS}`);
    const { pid } = await bench.banger.status(plan.signal);
    const occupied = residentMb(await readFile(`/proc/${pid}/smaps_rollup`, 'utf8'));
    const memory: Series = {
      title: `daemon memory, ${STORED_VMS} VMs listed ${plan.runs} times`,
      unit: 'MB',
      goal: { of: 'value', atMost: MEMORY_GOAL_MB },
      banger: [occupied],
      byHand: [occupied],
      against: 'itself',
    };
    return [few, many, memory];
  });
}

async function listing({ banger }: Bench, plan: RunPlan, title: string): Promise<Series> {
  const node = launcherNode();
  const sides = {
    banger: (signal: AbortSignal) => timed(() => banger.run(['vm', 'list'], signal)),
    byHand: (signal: AbortSignal) => timed(() => run([node, '-e', '0'], { signal, timeoutMs: TIMEOUT_MS })),
  };
  // The first run starts the daemon and fills the compile cache.
  const samples = await inTurn(sides, { ...plan, warmUp: true }, () => undefined);
  const goal = { of: 'ratio', atMost: 2 } as const;
  return { ...samples, title, unit: 'ms', goal, against: 'node -e 0' };
}

/** The Node that `bin/banger` starts: npm's, where it is installed. */
function launcherNode(): string {
  const installed = join(import.meta.dirname, '..', '..', 'node_modules', 'node', 'bin', 'node');
  return existsSync(installed) ? installed : 'node';
}
