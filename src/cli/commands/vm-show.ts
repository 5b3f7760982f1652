import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { chosenVms } from '../each-vm.ts';
import { vmLines } from '../vm-lines.ts';

export function vmShow(command: Command, cli: Cli): void {
  command
    .argument('<names...>', 'names, beginnings of ids, or patterns such as "web-*"')
    .addHelpText('after', '\nWith --json an object, or an array of them where several VMs are asked for.')
    .action(async (names: readonly string[]) => {
      const chosen = await chosenVms(cli, names);
      // One by one: only so they tell what befell them on the network.
      const vms = await Promise.all(chosen.map(({ name }) => cli.session.call('vmShow', { params: { name } })));
      const [only] = vms;
      if (cli.output.json) {
        if (only) cli.output.printJson(vms.length === 1 ? only : vms);
        return;
      }
      for (const [index, vm] of vms.entries()) {
        if (index > 0) cli.output.print('');
        cli.output.print(...vmLines(vm, { now: Date.now(), width: cli.output.width }));
      }
    });
}
