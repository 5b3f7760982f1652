import type { Command } from 'commander';
import { formatSize } from '../../contracts/size.ts';
import type { Cli } from '../cli.ts';
import { formatAge } from '../terminal-text.ts';

export function vmList(command: Command, cli: Cli): void {
  command.option('-q, --quiet', 'names only').action(async (flags: { readonly quiet?: boolean }) => {
    const vms = await cli.session.call('vmList', {});
    if (cli.output.json) {
      cli.output.printJson(vms);
      return;
    }
    if (flags.quiet) {
      cli.output.print(...vms.map(({ name }) => name));
      return;
    }
    if (vms.length === 0) {
      cli.output.note('No VMs yet. `banger vm run` makes one and opens a shell in it.');
      return;
    }
    const now = Date.now();
    cli.output.printTable(
      [
        { title: 'NAME', least: 14 },
        { title: 'STATE' },
        { title: 'IMAGE', least: 10 },
        { title: 'ADDRESS' },
        { title: 'CPUS', align: 'right', leaveOut: 2 },
        { title: 'MEMORY', align: 'right', leaveOut: 3 },
        { title: 'DISK', align: 'right', leaveOut: 4 },
        { title: 'EGRESS', leaveOut: 5 },
        { title: 'CREATED', leaveOut: 1 },
      ],
      vms.map((vm) => [
        vm.name,
        vm.state,
        vm.imageName,
        vm.address,
        String(vm.cpus),
        formatSize(vm.memoryBytes),
        formatSize(vm.diskBytes),
        vm.egress.replace(/:.*/, ''),
        formatAge(vm.createdAt, now),
      ]),
    );
  });
}
