import type { Command } from 'commander';
import { formatSize } from '../../contracts/size.ts';
import { setVmRequestSchema, setVmResultSchema, type VmChange } from '../../contracts/vm.ts';
import type { Cli } from '../cli.ts';
import { followOperation } from '../follow-operation.ts';
import { checked, checkedName, integerFlag, repeated, sizeFlag } from '../request.ts';
import { UsageError } from '../usage-error.ts';

interface Flags {
  readonly cpus?: string;
  readonly memory?: string;
  readonly disk?: string;
  readonly nat?: boolean;
  readonly egress?: string;
  /** False for --no-peer. */
  readonly peer?: readonly string[] | false;
}

export function vmSet(command: Command, cli: Cli): void {
  command
    .argument('<name>', 'the VM')
    .option('--cpus <count>', 'how many CPUs, from the next start on')
    .option('--memory <size>', 'memory, such as 512M or 2G, from the next start on')
    .option('--disk <size>', 'its disk’s size; a disk only grows: at once, or at the next start where the VM runs')
    .option('--nat', 'short for --egress open')
    .option('--no-nat', 'short for --egress none')
    .option('--egress <policy>', 'what it may reach outside, at once: none, open, or allow:HOST,NETWORK,...')
    .option(
      '--peer <vm>',
      'a VM it may talk to, and that may talk to it, at once; repeatable, and replaces those it had',
      repeatedPeer,
    )
    .option('--no-peer', 'no VM may talk to it, at once')
    .action(async (nameText: string, flags: Flags) => {
      const name = checkedName(nameText);
      const body = checked(setVmRequestSchema, {
        cpus: integerFlag('--cpus', flags.cpus),
        memoryBytes: sizeFlag('--memory', flags.memory),
        diskBytes: sizeFlag('--disk', flags.disk),
        nat: flags.nat,
        egress: flags.egress,
        peers: flags.peer === false ? [] : flags.peer,
      });
      if (Object.values(body).every((value) => value === undefined)) {
        throw new UsageError('REQUEST_INVALID', 'nothing to set: give --cpus, --memory, --disk, --egress or --peer');
      }
      const operation = await cli.session.call('vmSet', { params: { name }, body });
      const ended = await followOperation(cli, operation);
      if (cli.output.json) {
        cli.output.printJson(ended);
        return;
      }
      const { changes } = setVmResultSchema.parse(ended.result);
      if (changes.length === 0) cli.output.print(`${name} is so already`);
      for (const change of changes) cli.output.print(changeLine(name, change));
    });
}

/** `--no-peer` before it counts no more. */
function repeatedPeer(name: string, before: readonly string[] | boolean | undefined): readonly string[] {
  return repeated(name, Array.isArray(before) ? (before as readonly string[]) : []);
}

function changeLine(name: string, { what, from, to, takesEffect }: VmChange): string {
  const text = (value: number | string): string => {
    if (typeof value === 'string') return value;
    return what === 'cpus' ? String(value) : formatSize(value);
  };
  const when = takesEffect === 'now' ? 'now' : `at its next start (banger vm restart ${name})`;
  return `${what}: ${text(from)} to ${text(to)}, ${when}`;
}
