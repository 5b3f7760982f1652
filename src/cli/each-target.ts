import type { Operation } from '../contracts/operation.ts';
import type { Cli } from './cli.ts';
import { EXIT_STATUS } from './exit-status.ts';
import { followOperation } from './follow-operation.ts';
import { Interrupted } from './interrupt.ts';

interface TargetWork {
  /** Starts the operation on one target. */
  readonly start: (name: string) => Promise<Operation>;
  /** Said when it is done: `deleted`. */
  readonly done: string;
}

/**
 * The same operation on several targets, one after another. One that fails is reported and the others still have
 * their turn; the exit status tells. With --json an array of the operations that succeeded is printed.
 *
 * @throws Interrupted at Ctrl-C; the rest is not begun.
 */
export async function forEachTarget(cli: Cli, names: readonly string[], work: TargetWork): Promise<void> {
  const succeeded: Operation[] = [];
  for (const name of new Set(names)) {
    try {
      const operation = await followOperation(cli, await work.start(name));
      succeeded.push(operation);
      if (!cli.output.json) cli.output.print(`${name} ${work.done}`);
    } catch (error) {
      if (error instanceof Interrupted) throw error;
      const { reportError } = await import('./error-report.ts');
      await reportError(cli.output, error);
      cli.exitWith(EXIT_STATUS.failed);
    }
  }
  if (cli.output.json) cli.output.printJson(succeeded);
}
