import type { Command } from 'commander';
import { bootstrapRequestSchema, DEBIAN_RELEASES } from '../../contracts/build.ts';
import type { Cli } from '../cli.ts';
import { makeImage } from '../make-image.ts';
import { checked, checkedName, repeated, sizeFlag } from '../request.ts';

interface Flags {
  readonly name?: string;
  readonly release?: string;
  readonly size?: string;
  readonly package?: readonly string[];
}

export function imageBootstrap(command: Command, cli: Cli): void {
  command
    .argument('<distribution>', 'debian')
    .option('--name <name>', 'the image’s name (default: the distribution’s)')
    .option('--release <release>', `one of ${DEBIAN_RELEASES.join(', ')} (default: ${DEBIAN_RELEASES[0]})`)
    .option('--size <size>', 'the root filesystem’s size (default: 2G)')
    .option('--package <package>', 'a package more; may come several times', repeated)
    .action(async (distribution: string, flags: Flags) => {
      const name = checkedName(flags.name ?? distribution);
      const body = checked(bootstrapRequestSchema, {
        distribution,
        release: flags.release,
        sizeBytes: sizeFlag('--size', flags.size),
        packages: flags.package,
      });
      await makeImage(cli, await cli.session.call('imageBootstrap', { params: { name }, body }));
    });
}
