import { EXIT_STATUS } from './exit-status.ts';
import { reportError } from './error-report.ts';
import { Interrupted } from './interrupt.ts';
import type { Output } from './output.ts';
import { UsageError } from './usage-error.ts';

/** Says what a command ended with. @returns the exit status. */
export async function finish(output: Output, thrown: unknown): Promise<number> {
  if (thrown instanceof Interrupted) {
    output.note(...thrown.notes);
    return thrown.exitStatus;
  }
  await reportError(output, thrown);
  return thrown instanceof UsageError ? EXIT_STATUS.usage : EXIT_STATUS.failed;
}
