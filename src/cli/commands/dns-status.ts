import type { Command } from 'commander';
import { runDns } from '../../client/dns.ts';
import type { Cli } from '../cli.ts';
import { dnsLines } from '../dns-lines.ts';
import { EXIT_STATUS } from '../exit-status.ts';

export function dnsStatus(command: Command, cli: Cli): void {
  command
    .addHelpText('after', '\nExit status: 0 where the host resolves NAME.vm now, 1 where it does not.')
    .action(async () => {
      const status = await runDns('status');
      if (cli.output.json) cli.output.printJson(status);
      else cli.output.print(...dnsLines(status, cli.output.width));
      if (!status.resolves) cli.exitWith(EXIT_STATUS.failed);
    });
}
