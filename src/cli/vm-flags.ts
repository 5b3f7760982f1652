/** Flags that `vm create` and `vm run` share. */
import { availableParallelism, totalmem } from 'node:os';
import type { Command } from 'commander';
import { formatSize } from '../contracts/size.ts';
import { defaultCpus, defaultMemoryBytes } from '../contracts/vm-defaults.ts';
import { type CreateVmRequest, createVmRequestSchema } from '../contracts/vm.ts';
import { checked, integerFlag, repeated, sizeFlag } from './request.ts';

export interface VmFlags {
  readonly name?: string;
  readonly image?: string;
  readonly cpus?: string;
  readonly memory?: string;
  readonly disk?: string;
  readonly nat?: boolean;
  readonly egress?: string;
  readonly peer?: readonly string[];
}

const EGRESS_HELP = 'what it may reach outside: none, open, or allow:HOST,NETWORK,... (default: none)';

export function addVmFlags(command: Command): Command {
  return command
    .option('--name <name>', 'its name; left out, one is made up')
    .option('--image <image>', 'the image it starts from (default: the config’s default_image_name)')
    .option('--cpus <count>', `how many CPUs (default: the config’s, else ${defaultCpus(availableParallelism())})`)
    .option(
      '--memory <size>',
      `memory, such as 512M or 2G (default: the config’s, else ${formatSize(defaultMemoryBytes(totalmem()))})`,
    )
    .option('--disk <size>', 'its disk’s size (default: the config’s, else the image’s)')
    .option('--nat', 'short for --egress open')
    .option('--egress <policy>', EGRESS_HELP)
    .option('--peer <vm>', 'a VM it may talk to, and that may talk to it; repeatable', repeated);
}

/** @throws UsageError. */
export function vmRequest(flags: VmFlags, more: Partial<CreateVmRequest>): CreateVmRequest {
  return checked(createVmRequestSchema, {
    name: flags.name,
    image: flags.image,
    cpus: integerFlag('--cpus', flags.cpus),
    memoryBytes: sizeFlag('--memory', flags.memory),
    diskBytes: sizeFlag('--disk', flags.disk),
    nat: flags.nat,
    egress: flags.egress,
    peers: flags.peer,
    ...more,
  });
}
