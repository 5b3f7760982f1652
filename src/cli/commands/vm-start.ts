import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { forEachVm } from '../each-vm.ts';

export function vmStart(command: Command, cli: Cli): void {
  command
    .argument('<names...>', 'names, beginnings of ids, or patterns such as "web-*"')
    .action(async (names: readonly string[]) => {
      await forEachVm(cli, names, {
        start: ({ name }) => cli.session.call('vmStart', { params: { name } }),
        done: () => 'started',
      });
    });
}
