import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { checkedName } from '../request.ts';
import { vmLines } from '../vm-lines.ts';

export function vmShow(command: Command, cli: Cli): void {
  command.argument('<name>', 'the VM').action(async (name: string) => {
    const vm = await cli.session.call('vmShow', { params: { name: checkedName(name) } });
    if (cli.output.json) cli.output.printJson(vm);
    else cli.output.print(...vmLines(vm, { now: Date.now(), width: cli.output.width }));
  });
}
