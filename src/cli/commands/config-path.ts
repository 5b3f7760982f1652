import type { Command } from 'commander';
import type { Cli } from '../cli.ts';

export function configPath(command: Command, cli: Cli): void {
  command.action(() => {
    const path = cli.session.paths.configFile;
    if (cli.output.json) cli.output.printJson({ path });
    else cli.output.print(path);
  });
}
