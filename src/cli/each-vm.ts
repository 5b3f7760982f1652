import type { Operation } from '../contracts/operation.ts';
import type { Vm } from '../contracts/vm.ts';
import type { Cli } from './cli.ts';
import { EXIT_STATUS } from './exit-status.ts';
import { watchOperation } from './follow-operation.ts';
import { Interrupted, watchInterrupts } from './interrupt.ts';
import { stageBoard } from './stage-board.ts';
import type { StageView } from './stage-view.ts';
import { resolveTargets } from './vm-targets.ts';

/** More at once only make each of them slower. */
const SIDE_BY_SIDE = 8;

interface VmWork {
  readonly start: (vm: Vm) => Promise<Operation>;
  /** What is said of one that is done: `stopped`. */
  readonly done: (operation: Operation) => string;
}

/**
 * The VMs that words mean. What means none is told of on stderr and makes the exit status 1; the others stay.
 */
export async function chosenVms(cli: Cli, words: readonly string[]): Promise<readonly Vm[]> {
  const { vms, problems } = resolveTargets(words, await cli.session.call('vmList', {}));
  for (const problem of problems) await tell(cli, problem);
  return vms;
}

/**
 * The same operation on several VMs, side by side. One that fails is told of and keeps no other from its turn; the exit
 * status tells. Results are printed in the order in which the VMs were named; with --json an array of the operations
 * that have succeeded.
 *
 * @throws Interrupted at Ctrl-C: what has begun goes on, the rest is not begun.
 */
export async function forEachVm(cli: Cli, words: readonly string[], work: VmWork): Promise<void> {
  const vms = await chosenVms(cli, words);
  if (vms.length === 0) {
    if (cli.output.json) cli.output.printJson([]);
    return;
  }
  const results = await runAll(cli, vms, work);
  const succeeded: Operation[] = [];
  for (const [index, result] of results.entries()) {
    if ('error' in result) {
      if (result.error instanceof Interrupted) throw result.error;
      await tell(cli, result.error);
      continue;
    }
    succeeded.push(result.operation);
    if (!cli.output.json) cli.output.print(`${vms[index]?.name} ${work.done(result.operation)}`);
  }
  if (cli.output.json) cli.output.printJson(succeeded);
}

type Result = { readonly operation: Operation } | { readonly error: unknown };

async function runAll(cli: Cli, vms: readonly Vm[], work: VmWork): Promise<readonly Result[]> {
  using interrupts = watchInterrupts();
  using board =
    vms.length > 1
      ? stageBoard(
          cli.output,
          vms.map(({ name }) => name),
        )
      : undefined;
  const results: Result[] = [];
  const waiting = [...vms.entries()];
  const runNext = async (): Promise<void> => {
    for (let next = waiting.shift(); next && !interrupts.signal.aborted; next = waiting.shift()) {
      const [index, vm] = next;
      results[index] = await runOne(cli, vm, { work, signal: interrupts.signal, view: board?.viewOf(vm.name) });
    }
  };
  await Promise.all(Array.from({ length: Math.min(SIDE_BY_SIDE, vms.length) }, runNext));
  return results.filter((result) => result !== undefined);
}

async function runOne(
  cli: Cli,
  vm: Vm,
  how: { readonly work: VmWork; readonly signal: AbortSignal; readonly view: StageView | undefined },
): Promise<Result> {
  try {
    return { operation: await watchOperation(cli, await how.work.start(vm), how.signal, how.view) };
  } catch (error) {
    return { error };
  }
}

async function tell(cli: Cli, error: unknown): Promise<void> {
  const { reportError } = await import('./error-report.ts');
  await reportError(cli.output, error);
  cli.exitWith(EXIT_STATUS.failed);
}
