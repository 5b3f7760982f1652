import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { operationLines } from '../operation-lines.ts';
import { checkedOperationId } from '../request.ts';

export function opShow(command: Command, cli: Cli): void {
  command.argument('<id>', 'the operation').action(async (id: string) => {
    const operation = await cli.session.call('operationShow', { params: { id: checkedOperationId(id) } });
    if (cli.output.json) cli.output.printJson(operation);
    else cli.output.print(...operationLines(operation, { now: Date.now(), width: cli.output.width }));
  });
}
