import type { Command } from 'commander';
import { buildRequestSchema, PRESET_NAMES, STEP_NAMES } from '../../contracts/build.ts';
import type { Cli } from '../cli.ts';
import { makeImage } from '../make-image.ts';
import { checked, checkedName, durationFlag, pathFlag, repeated, sizeFlag, textFlag } from '../request.ts';

interface Flags {
  readonly from: string;
  readonly preset?: string;
  readonly size?: string;
  readonly package?: readonly string[];
  readonly docker?: boolean;
  readonly without?: readonly string[];
  readonly kernel?: string;
  readonly initrd?: string;
  readonly modules?: string;
  readonly script?: string;
  readonly stepTimeout?: string;
  readonly keepFailed?: boolean;
}

export function imageBuild(command: Command, cli: Cli): void {
  command
    .argument('<name>', 'the new image’s name')
    .requiredOption('--from <image>', 'the image to start from')
    .option('--preset <preset>', `what goes in: ${PRESET_NAMES.join(' or ')} (default: ${PRESET_NAMES[0]})`)
    .option('--size <size>', 'grow the root filesystem to this size')
    .option('--package <package>', 'a package more; may come several times', repeated)
    .option('--docker', 'install Docker')
    .option('--without <step>', 'leave a step out; may come several times', repeated)
    .option('--kernel <file>', 'boot with this kernel')
    .option('--initrd <file>', 'and with this initial ramdisk')
    .option('--modules <folder>', 'and put these kernel modules into the image')
    .option('--script <file>', 'a script of your own, run as root in the guest by the step `user`')
    .option('--step-timeout <duration>', 'one deadline for every step, such as 20m, instead of their own')
    .option('--keep-failed', 'keep the disk of a build that fails, and say where')
    .addHelpText('after', `\nSteps, in their order: ${STEP_NAMES.join(', ')}.`)
    .action(async (nameText: string, flags: Flags) => {
      const name = checkedName(nameText);
      const body = checked(buildRequestSchema, {
        from: flags.from,
        preset: flags.preset,
        sizeBytes: sizeFlag('--size', flags.size),
        packages: flags.package,
        docker: flags.docker,
        without: flags.without,
        kernelPath: pathFlag(cli.cwd, flags.kernel),
        initrdPath: pathFlag(cli.cwd, flags.initrd),
        modulesPath: pathFlag(cli.cwd, flags.modules),
        userScript: await textFlag(cli.cwd, '--script', flags.script),
        stepTimeoutMs: durationFlag('--step-timeout', flags.stepTimeout),
        keepFailed: flags.keepFailed,
      });
      await makeImage(cli, await cli.session.call('imageBuild', { params: { name }, body }));
    });
}
