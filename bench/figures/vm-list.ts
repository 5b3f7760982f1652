/** `banger vm list` with a daemon that runs, against the bare start of the Node that runs it. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../src/host/process.ts';
import type { Bench } from '../bench.ts';
import type { Figure, RunPlan, Series } from '../figure.ts';
import { inTurn, timed } from '../in-turn.ts';

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

async function measure({ banger }: Bench, plan: RunPlan): Promise<readonly Series[]> {
  const node = launcherNode();
  const sides = {
    banger: (signal: AbortSignal) => timed(() => banger.run(['vm', 'list'], signal)),
    byHand: (signal: AbortSignal) => timed(() => run([node, '-e', '0'], { signal, timeoutMs: TIMEOUT_MS })),
  };
  // The first run starts the daemon and fills the compile cache.
  const samples = await inTurn(sides, { ...plan, warmUp: true }, () => undefined);
  const goal = { of: 'ratio', atMost: 2 } as const;
  return [{ ...samples, title: 'vm list', unit: 'ms', goal, against: 'node -e 0' }];
}

/** The Node that `bin/banger` starts: npm's, where it is installed. */
function launcherNode(): string {
  const installed = join(import.meta.dirname, '..', '..', 'node_modules', 'node', 'bin', 'node');
  return existsSync(installed) ? installed : 'node';
}
