/** How an operation and its stages end: pure. */
import type { ErrorBody } from '../../contracts/errors.ts';
import type { OperationEvent } from '../../contracts/event.ts';
import type { Operation, OperationKind, OperationState, Stage } from '../../contracts/operation.ts';
import { AppError, describe, toAppError } from '../app-error.ts';
import { errorsOf } from '../undo.ts';

export type Outcome =
  | { readonly state: 'succeeded'; readonly result: unknown }
  | { readonly state: Exclude<OperationState, 'running' | 'succeeded'>; readonly error: ErrorBody };

/**
 * What becomes of an operation whose work threw.
 *
 * @param cancelled the reason it was cancelled with, unless the work had failed before that.
 */
export function failureOutcome(operationId: string, error: unknown, cancelled: AppError | undefined): Outcome {
  if (!cancelled) return { state: 'failed', error: toAppError(error).toBody(operationId) };
  // What could not be cleaned up after a cancel is told; what the cancel itself made fail is not.
  const alsoFailed = notReleased(error);
  const details = alsoFailed.length > 0 ? { ...cancelled.details, alsoFailed } : cancelled.details;
  const reason = new AppError(cancelled.code, cancelled.message, { hint: cancelled.hint, details });
  return { state: 'cancelled', error: reason.toBody(operationId) };
}

/** What could not be released after the work had failed, each in one line. */
export function notReleased(error: unknown): readonly string[] {
  return errorsOf(error).slice(1).map(describe);
}

/** The stage in which what was made is undone. */
export const CLEAN_UP_STAGE = 'clean up';

/** Kinds of work that make something, and so have something to undo when they fail; the others read or take away. */
const MAKING: ReadonlySet<OperationKind> = new Set([
  'image.bootstrap',
  'image.build',
  'image.promote',
  'vm.create',
  'vm.start',
  'vm.restart',
]);

/** True where the operation has its clean-up before it: it makes something, and has not begun to clean up. */
export function mayCleanUp({ kind, stages }: Operation): boolean {
  const planned = stages.find(({ name }) => name === CLEAN_UP_STAGE);
  return MAKING.has(kind) && (planned === undefined || planned.state === 'pending');
}

/** What stages become when the operation ends without having run them to their end. */
function settledStages(stages: readonly Stage[], state: OperationState): readonly Stage[] {
  return stages.map((stage) => {
    if (stage.state === 'pending') return { ...stage, state: 'skipped' };
    if (stage.state === 'running') return { ...stage, state: state === 'cancelled' ? 'cancelled' : 'failed' };
    return stage;
  });
}

/** The operation as it is once it has ended. */
export function endedOperation(operation: Operation, outcome: Outcome, endedAt: Date): Operation {
  return {
    ...operation,
    state: outcome.state,
    stages: [...settledStages(operation.stages, outcome.state)],
    endedAt: endedAt.toISOString(),
    ...(outcome.state === 'succeeded'
      ? outcome.result === undefined
        ? {}
        : { result: outcome.result }
      : { error: outcome.error }),
  };
}

/** What its listeners are told of an end: the stages that it changed, then `end`. */
export function endEvents(before: Operation, ended: Operation): readonly OperationEvent[] {
  const at = ended.endedAt ?? ended.createdAt;
  const changed = ended.stages.filter((stage, index) => stage.state !== before.stages[index]?.state);
  return [...changed.map((stage) => ({ type: 'stage' as const, at, stage })), { type: 'end', at, operation: ended }];
}
