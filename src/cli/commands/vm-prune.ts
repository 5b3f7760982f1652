import type { Command } from 'commander';
import { formatSize } from '../../contracts/size.ts';
import { pruneVmsResultSchema } from '../../contracts/vm.ts';
import { confirmed } from '../confirm.ts';
import type { Cli } from '../cli.ts';
import { followOperation } from '../follow-operation.ts';
import { UsageError } from '../usage-error.ts';

interface Flags {
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

export function vmPrune(command: Command, cli: Cli): void {
  command
    .option('-y, --yes', 'do not ask')
    .option('--dry-run', 'only list what would be deleted')
    .action(async (flags: Flags) => {
      const vms = await cli.session.call('vmList', {});
      const idle = vms.filter(({ state }) => state === 'stopped' || state === 'failed');
      const names = idle.map(({ name }) => name);
      if (flags.dryRun) {
        if (cli.output.json) cli.output.printJson(names);
        else cli.output.print(...names);
        return;
      }
      if (names.length > 0 && !flags.yes && !(await isAgreed(cli, names))) return;
      const ended = await followOperation(cli, await cli.session.call('vmPrune', {}));
      if (cli.output.json) {
        cli.output.printJson(ended);
        return;
      }
      const { deleted, freedBytes } = pruneVmsResultSchema.parse(ended.result);
      cli.output.print(...deleted.map((name) => `${name} deleted`));
      cli.output.print(`${deleted.length} deleted, ${formatSize(freedBytes)} freed`);
    });
}

/** @throws UsageError where nobody can be asked. */
async function isAgreed(cli: Cli, names: readonly string[]): Promise<boolean> {
  if (!cli.isInteractive || cli.output.json) {
    throw new UsageError('REQUEST_INVALID', `${names.length} VMs and their disks would be deleted`, {
      hint: 'Say --yes, or --dry-run to see which.',
    });
  }
  return confirmed(`Delete ${names.join(', ')} and their disks?`);
}
