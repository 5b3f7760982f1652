import type { Command } from 'commander';
import { vmSchema } from '../../contracts/vm.ts';
import type { Cli } from '../cli.ts';
import { followOperation } from '../follow-operation.ts';
import { addVmFlags, type VmFlags, vmRequest } from '../vm-flags.ts';
import { vmLines } from '../vm-lines.ts';

export function vmCreate(command: Command, cli: Cli): void {
  addVmFlags(command)
    .option('--no-start', 'only create it')
    .action(async (flags: VmFlags & { readonly start: boolean }) => {
      const body = vmRequest(flags, { start: flags.start });
      const ended = await followOperation(cli, await cli.session.call('vmCreate', { body }));
      if (cli.output.json) cli.output.printJson(ended);
      else cli.output.print(...vmLines(vmSchema.parse(ended.result), { now: Date.now(), width: cli.output.width }));
    });
}
