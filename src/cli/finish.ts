import { EXIT_STATUS } from './exit-status.ts';
import { reportError } from './error-report.ts';
import { Interrupted } from './interrupt.ts';
import type { Output } from './output.ts';
import { UsageError } from './usage-error.ts';

/**
 * Says what a command ended with.
 *
 * @param seeHelp the hint for a command line that is wrong, where nothing better is known.
 * @returns the exit status.
 */
export async function finish(output: Output, thrown: unknown, seeHelp: string): Promise<number> {
  if (thrown instanceof Interrupted) {
    output.note(...thrown.notes);
    return thrown.exitStatus;
  }
  // The other codes that a command line may earn have hints that say how to write it.
  const isPlain = thrown instanceof UsageError && thrown.code === 'REQUEST_INVALID' && thrown.hint === undefined;
  await reportError(output, isPlain ? withHint(thrown, seeHelp) : thrown);
  return thrown instanceof UsageError ? EXIT_STATUS.usage : EXIT_STATUS.failed;
}

function withHint({ code, message, details, cause }: UsageError, hint: string): UsageError {
  return new UsageError(code, message, { hint, details, cause });
}
