import type { Command } from 'commander';
import { formatSize } from '../../contracts/size.ts';
import type { Cli } from '../cli.ts';
import { formatAge } from '../terminal-text.ts';

export function imageList(command: Command, cli: Cli): void {
  command.action(async () => {
    const images = await cli.session.call('imageList', {});
    if (cli.output.json) {
      cli.output.printJson(images);
      return;
    }
    if (images.length === 0) {
      cli.output.note('No images yet. `banger image bootstrap debian` makes a first one.');
      return;
    }
    const now = Date.now();
    cli.output.printTable(
      [
        { title: 'NAME', least: 14 },
        { title: 'SIZE', align: 'right' },
        { title: 'PACKAGES', align: 'right', leaveOut: 3 },
        { title: 'MADE BY', leaveOut: 2 },
        { title: 'FROM', least: 10, leaveOut: 4 },
        { title: 'CREATED' },
        { title: 'DIGEST', leaveOut: 5 },
      ],
      images.map((image) => [
        image.name,
        formatSize(image.sizeBytes),
        image.packageCount === undefined ? '' : String(image.packageCount),
        image.managed ? image.provenance.method : 'register (unmanaged)',
        image.provenance.source?.name ?? '',
        formatAge(image.createdAt, now),
        image.digest.slice(0, 'sha256:'.length + 12),
      ]),
    );
  });
}
