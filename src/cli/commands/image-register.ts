import type { Command } from 'commander';
import { registerImageRequestSchema } from '../../contracts/image.ts';
import type { Cli } from '../cli.ts';
import { makeImage } from '../make-image.ts';
import { checked, checkedName, pathFlag } from '../request.ts';

interface Flags {
  readonly rootfs: string;
  readonly kernel: string;
  readonly initrd?: string;
  readonly modules?: string;
}

export function imageRegister(command: Command, cli: Cli): void {
  command
    .argument('<name>', 'the image’s name')
    .requiredOption('--rootfs <file>', 'a raw image file that holds one ext4 filesystem')
    .requiredOption('--kernel <file>', 'its kernel')
    .option('--initrd <file>', 'its initial ramdisk')
    .option('--modules <folder>', 'its kernel modules, where they are not in the filesystem')
    .action(async (nameText: string, flags: Flags) => {
      const name = checkedName(nameText);
      const body = checked(registerImageRequestSchema, {
        rootfsPath: pathFlag(cli.cwd, flags.rootfs),
        kernelPath: pathFlag(cli.cwd, flags.kernel),
        initrdPath: pathFlag(cli.cwd, flags.initrd),
        modulesPath: pathFlag(cli.cwd, flags.modules),
      });
      await makeImage(cli, await cli.session.call('imageRegister', { params: { name }, body }));
    });
}
