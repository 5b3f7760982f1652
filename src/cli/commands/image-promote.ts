import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { makeImage } from '../make-image.ts';
import { checkedName } from '../request.ts';

export function imagePromote(command: Command, cli: Cli): void {
  command.argument('<name>', 'the image').action(async (nameText: string) => {
    const params = { name: checkedName(nameText) };
    await makeImage(cli, await cli.session.call('imagePromote', { params }));
  });
}
