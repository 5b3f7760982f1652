import type { Command } from 'commander';
import { runDaemonInForeground } from '../../client/daemon-foreground.ts';
import type { Cli } from '../cli.ts';

export function daemonStart(command: Command, cli: Cli): void {
  command
    .option('--foreground', 'stay in the foreground and log to stderr')
    .action(async (flags: { readonly foreground?: boolean }) => {
      if (flags.foreground) {
        cli.exitWith(await runDaemonInForeground());
        return;
      }
      const { status, started } = await cli.session.connect();
      if (cli.output.json) cli.output.printJson({ ...status, started });
      else {
        const word = started ? 'started' : 'runs already';
        cli.output.print(`banger daemon ${status.version} ${word} (pid ${status.pid}, ${status.socketPath})`);
      }
    });
}
