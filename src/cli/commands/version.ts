import type { Command } from 'commander';
import { currentBuildId } from '../../client/daemon-program.ts';
import { BANGER_VERSION } from '../../contracts/version.ts';
import type { Cli } from '../cli.ts';

export function version(command: Command, cli: Cli): void {
  command.action(() => {
    const buildId = currentBuildId();
    if (cli.output.json) cli.output.printJson({ version: BANGER_VERSION, buildId, node: process.version });
    else cli.output.print(`banger ${BANGER_VERSION} (${buildId}, Node ${process.version})`);
  });
}
