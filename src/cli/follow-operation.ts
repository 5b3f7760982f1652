import type { Operation } from '../contracts/operation.ts';
import { ClientError } from '../client/client-error.ts';
import type { Cli } from './cli.ts';
import { Interrupted, watchInterrupts } from './interrupt.ts';
import { type StageView, stageView } from './stage-view.ts';

/**
 * Shows an operation to its end.
 *
 * @returns the operation, which has succeeded.
 * @throws ClientError with the operation's own error; Interrupted on Ctrl-C: the operation goes on.
 */
export async function followOperation(cli: Cli, operation: Operation): Promise<Operation> {
  using interrupts = watchInterrupts();
  return await watchOperation(cli, operation, interrupts.signal);
}

/** As `followOperation`, for callers that watch for interrupts themselves. */
export async function watchOperation(
  cli: Cli,
  operation: Operation,
  signal: AbortSignal,
  show?: StageView,
): Promise<Operation> {
  using own = show ? undefined : stageView(cli.output);
  const view = show ?? own;
  const ended = await showEvents(cli, operation, { signal, view });
  if (ended.operation.state === 'succeeded') return ended.operation;
  throw failure(ended.operation, ended.tail);
}

async function showEvents(
  cli: Cli,
  operation: Operation,
  { signal, view }: { readonly signal: AbortSignal; readonly view: StageView | undefined },
): Promise<{ readonly operation: Operation; readonly tail: readonly string[] }> {
  try {
    for await (const event of cli.session.operationEvents(operation.id, signal)) {
      view?.show(event);
      if (event.type === 'end') return { operation: event.operation, tail: view?.tail?.lines ?? [] };
    }
  } catch (error) {
    if (signal.aborted && signal.reason instanceof Interrupted) throw goesOn(signal.reason, operation);
    throw error;
  }
  throw new ClientError('INTERNAL', 'The stream of events ended without the operation’s end', {
    operationId: operation.id,
  });
}

function goesOn(interrupted: Interrupted, operation: Operation): Interrupted {
  return new Interrupted(interrupted.signal, [
    `${operation.kind} of ${operation.target} goes on as ${operation.id}.`,
    `  follow it:  banger op logs -f ${operation.id}`,
    `  cancel it:  banger op cancel ${operation.id}`,
  ]);
}

function failure(operation: Operation, tail: readonly string[]): ClientError {
  const { error } = operation;
  if (!error) {
    return new ClientError('INTERNAL', `The operation ended as ${operation.state} without saying why`, {
      operationId: operation.id,
    });
  }
  // The daemon may have put the lines that matter into the details; else the last ones have to do.
  const tells = Object.values(error.details).some((detail) => Array.isArray(detail) && detail.length > 0);
  const details = tells || tail.length === 0 ? error.details : { ...error.details, lastLines: tail };
  return ClientError.fromBody({ ...error, details, operationId: error.operationId ?? operation.id });
}
