import type { Command } from 'commander';
import { KILL_SIGNALS, killVmRequestSchema } from '../../contracts/vm.ts';
import type { Cli } from '../cli.ts';
import { forEachVm } from '../each-vm.ts';
import { checked } from '../request.ts';

export function vmKill(command: Command, cli: Cli): void {
  command
    .argument('<names...>', 'names, beginnings of ids, or patterns such as "web-*"')
    .option('-s, --signal <signal>', `sent to the VMM: ${KILL_SIGNALS.join(', ')}`, 'KILL')
    .action(async (names: readonly string[], flags: { readonly signal: string }) => {
      // SIGTERM and term are TERM, as they are for kill(1).
      const signal = flags.signal.toUpperCase().replace(/^SIG/, '');
      const body = checked(killVmRequestSchema, { signal });
      await forEachVm(cli, names, {
        start: ({ name }) => cli.session.call('vmKill', { params: { name }, body }),
        done: () => 'killed',
      });
    });
}
