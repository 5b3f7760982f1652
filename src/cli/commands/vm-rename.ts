import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { followOperation } from '../follow-operation.ts';
import { checkedName } from '../request.ts';

export function vmRename(command: Command, cli: Cli): void {
  command
    .argument('<name>', 'the VM')
    .argument('<new-name>', 'the name it gets')
    .action(async (oldName: string, newName: string) => {
      const params = { name: checkedName(oldName) };
      const body = { name: checkedName(newName) };
      const ended = await followOperation(cli, await cli.session.call('vmRename', { params, body }));
      if (cli.output.json) cli.output.printJson(ended);
      else cli.output.print(`${params.name} is ${body.name} now`);
    });
}
