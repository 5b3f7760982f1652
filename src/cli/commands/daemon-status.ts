import type { Command } from 'commander';
import { formatSize } from '../../contracts/size.ts';
import { ClientError } from '../../client/client-error.ts';
import type { Cli } from '../cli.ts';
import { EXIT_STATUS } from '../exit-status.ts';
import { detailLines } from '../table.ts';
import { formatAge } from '../terminal-text.ts';

export function daemonStatus(command: Command, cli: Cli): void {
  command.addHelpText('after', '\nExit status: 0 where it runs, 1 where it does not.').action(async () => {
    const status = await runningDaemon(cli);
    if (cli.output.json) cli.output.printJson(status ? { running: true, ...status } : { running: false });
    else if (status) {
      cli.output.print(
        ...detailLines(
          [
            ['version', `${status.version} (${status.buildId})`],
            ['pid', String(status.pid)],
            ['started', `${status.startedAt} (${formatAge(status.startedAt, Date.now())})`],
            ['socket', status.socketPath],
            ['home', status.homePath],
            ['network', status.networkMode],
            ['namespace', status.namespaceName],
            ['VMs running', String(status.runningVms)],
            ['operations', String(status.runningOperations)],
            ['memory', formatSize(status.rssBytes)],
          ],
          cli.output.width,
        ),
      );
    } else cli.output.print('not running');
    if (!status) cli.exitWith(EXIT_STATUS.failed);
  });
}

async function runningDaemon(cli: Cli): Promise<Awaited<ReturnType<typeof cli.session.connect>>['status'] | undefined> {
  try {
    return (await cli.session.connect({ autoStart: false })).status;
  } catch (error) {
    if (error instanceof ClientError && error.code === 'DAEMON_UNREACHABLE' && error.cause === undefined)
      return undefined;
    throw error;
  }
}
