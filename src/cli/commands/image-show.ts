import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { imageLines } from '../make-image.ts';
import { checkedName } from '../request.ts';

export function imageShow(command: Command, cli: Cli): void {
  command.argument('<name>', 'the image').action(async (name: string) => {
    const image = await cli.session.call('imageShow', { params: { name: checkedName(name) } });
    if (cli.output.json) cli.output.printJson(image);
    else cli.output.print(...imageLines(image, { now: Date.now(), width: cli.output.width }));
  });
}
