/** What a daemon that does nothing occupies: just started, and after 200 commands; beside a Node that does nothing. */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from '../../src/host/process.ts';
import type { Bench } from '../bench.ts';
import type { Figure, RunPlan, Series } from '../figure.ts';
import { residentMb } from '../resident-memory.ts';

const MINUTE_MS = 60_000;
/** Node gives memory back some time after it was used. */
const IDLE_MS = 5_000;
const BARE_TIMEOUT_MS = 60_000;
const COMMANDS = 200;
const GOAL_MB = 80;

export const daemonMemory: Figure = {
  name: 'daemon-memory',
  runs: 3,
  budgetMs: 5 * MINUTE_MS,
  usualMs: 1.5 * MINUTE_MS,
  needs: 'nothing',
  measure,
};

async function measure(bench: Bench, plan: RunPlan): Promise<readonly Series[]> {
  const { banger, say } = bench;
  const { signal, deadlineMs, runs } = plan;
  const fresh: number[] = [];
  const used: number[] = [];
  const bare: number[] = [];
  let longestMs = 0;
  while (fresh.length < runs && (fresh.length === 0 || performance.now() + longestMs < deadlineMs)) {
    const startedMs = performance.now();
    await banger.run(['daemon', 'stop'], signal);
    await banger.run(['daemon', 'start'], signal);
    const { pid } = await banger.status(signal);
    bare.push(await bareNode(signal));
    fresh.push(residentMb(await readFile(`/proc/${pid}/smaps_rollup`, 'utf8')));
    for (let count = 0; count < COMMANDS; count += 1) await banger.run(['vm', 'list'], signal);
    await sleep(IDLE_MS, undefined, { signal });
    used.push(residentMb(await readFile(`/proc/${pid}/smaps_rollup`, 'utf8')));
    say(`daemon memory ${fresh.length}/${runs}: ${fresh.at(-1)?.toFixed(1)} MB, then ${used.at(-1)?.toFixed(1)} MB`);
    longestMs = Math.max(longestMs, performance.now() - startedMs);
  }
  const common = {
    unit: 'MB',
    goal: { of: 'value', atMost: GOAL_MB },
    byHand: bare,
    against: 'a Node that does nothing',
  } as const;
  return [
    { ...common, title: 'daemon memory, started', banger: fresh },
    { ...common, title: `daemon memory, after ${COMMANDS} vm list`, banger: used },
  ];
}

/** Idles for as long as the daemon does, and tells then what it occupies. */
async function bareNode(signal: AbortSignal): Promise<number> {
  const program = `setTimeout(() => console.log(fs.readFileSync('/proc/self/smaps_rollup', 'utf8')), ${IDLE_MS})`;
  const argv = [process.execPath, '--eval', program] as const;
  return residentMb((await run(argv, { signal, timeoutMs: BARE_TIMEOUT_MS })).stdout);
}
