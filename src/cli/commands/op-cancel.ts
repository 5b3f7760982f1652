import type { Command } from 'commander';
import type { Operation } from '../../contracts/operation.ts';
import type { Cli } from '../cli.ts';
import { reportError } from '../error-report.ts';
import { EXIT_STATUS } from '../exit-status.ts';
import { watchInterrupts } from '../interrupt.ts';
import { checkedOperationId } from '../request.ts';
import { UsageError } from '../usage-error.ts';

export function opCancel(command: Command, cli: Cli): void {
  command.argument('<ids...>', 'the operations').action(async (texts: readonly string[]) => {
    const operations: Operation[] = [];
    for (const id of new Set(texts.map(checkedOperationId))) {
      try {
        operations.push(await cancel(cli, id));
      } catch (error) {
        if (error instanceof UsageError) throw error;
        await reportError(cli.output, error);
        cli.exitWith(EXIT_STATUS.failed);
      }
    }
    if (cli.output.json) cli.output.printJson(operations);
  });
}

/** Asks, and waits until what the operation had made is undone. */
async function cancel(cli: Cli, id: string): Promise<Operation> {
  using interrupts = watchInterrupts();
  let operation = await cli.session.call('operationCancel', { params: { id } });
  for await (const event of cli.session.operationEvents(id, interrupts.signal)) {
    if (event.type === 'end') operation = event.operation;
  }
  if (!cli.output.json) cli.output.print(`${operation.kind} of ${operation.target}: ${operation.state}`);
  return operation;
}
