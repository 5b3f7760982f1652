import type { Command } from 'commander';
import { runDns } from '../../client/dns.ts';
import type { Cli } from '../cli.ts';
import { dnsLines } from '../dns-lines.ts';

export function dnsEnable(command: Command, cli: Cli): void {
  command.action(async () => {
    const status = await runDns('enable');
    if (cli.output.json) cli.output.printJson(status);
    else
      cli.output.print(
        `Names such as calm-otter.${status.zone} are resolved through banger from now on.`,
        ...dnsLines(status, cli.output.width),
      );
  });
}
