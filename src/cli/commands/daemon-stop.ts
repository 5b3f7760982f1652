import type { Command } from 'commander';
import { ClientError } from '../../client/client-error.ts';
import { stopDaemon } from '../../client/daemon-stop.ts';
import type { Cli } from '../cli.ts';
import { visible } from '../terminal-text.ts';

export function daemonStop(command: Command, cli: Cli): void {
  command.action(async () => {
    const stopped = await stop(cli);
    if (cli.output.json) cli.output.printJson(stopped ? { stopped: true, ...stopped } : { stopped: false });
    else if (!stopped) cli.output.print('No daemon is running.');
    else {
      cli.output.print(`The daemon (pid ${stopped.pid}) has stopped.`);
      const { runningVms } = stopped;
      if (runningVms.length > 0) cli.output.print(`These VMs go on running: ${runningVms.map(visible).join(', ')}`);
    }
  });
}

async function stop(cli: Cli): ReturnType<typeof stopDaemon> {
  try {
    return await stopDaemon(await cli.session.connect({ autoStart: false }), 'user');
  } catch (error) {
    if (error instanceof ClientError && error.code === 'DAEMON_UNREACHABLE' && error.cause === undefined)
      return undefined;
    throw error;
  }
}
