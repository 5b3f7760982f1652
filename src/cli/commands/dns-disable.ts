import type { Command } from 'commander';
import { runDns } from '../../client/dns.ts';
import type { Cli } from '../cli.ts';

export function dnsDisable(command: Command, cli: Cli): void {
  command.action(async () => {
    const status = await runDns('disable');
    if (cli.output.json) cli.output.printJson(status);
    else cli.output.print('The host resolves names as it did before.');
  });
}
