import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { forEachTarget } from '../each-target.ts';
import { checkedName } from '../request.ts';

export function vmStart(command: Command, cli: Cli): void {
  command.argument('<names...>', 'the VMs').action(async (names: readonly string[]) => {
    await forEachTarget(cli, names.map(checkedName), {
      start: (name) => cli.session.call('vmStart', { params: { name } }),
      done: 'started',
    });
  });
}
