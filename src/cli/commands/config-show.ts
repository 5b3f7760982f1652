import type { Command } from 'commander';
import type { Cli } from '../cli.ts';

export function configShow(command: Command, cli: Cli): void {
  command
    .addHelpText('after', '\nThe config file takes what is printed. With --json sizes are numbers of bytes.')
    .action(async () => {
      const config = await cli.session.call('configShow', {});
      if (cli.output.json) {
        cli.output.printJson(config);
        return;
      }
      const { configLines } = await import('../config-lines.ts');
      cli.output.print(...configLines(config));
    });
}
