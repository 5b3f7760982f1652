import type { Command } from 'commander';
import { launcherPath } from '../../client/daemon-program.ts';
import { sshArgv } from '../../client/ssh.ts';
import type { Cli } from '../cli.ts';
import { enterVm } from '../enter-vm.ts';
import { checkedName } from '../request.ts';
import { UsageError } from '../usage-error.ts';

export function vmSsh(command: Command, cli: Cli): void {
  command
    .usage('[options] <name> [-- COMMAND...]')
    .argument('<name>', 'the VM')
    .addHelpText(
      'after',
      `
One word after -- is shell text ('ls | wc -l'); several are a command and its arguments, taken as they are.
The exit status is the command's.
With --json nothing is run: the arguments for ssh are printed.`,
    )
    .action(async (nameText: string) => {
      const name = checkedName(nameText);
      if (cli.guestCommand?.length === 0) throw new UsageError('REQUEST_INVALID', 'a command must follow --');
      if (!cli.output.json) {
        cli.exitWith(await enterVm(cli, name));
        return;
      }
      const access = await cli.session.call('vmSshAccess', { params: { name } });
      const plan = { launcher: launcherPath(), command: cli.guestCommand ?? [], terminal: false };
      cli.output.printJson({ ...access, argv: sshArgv(access, plan) });
    });
}
