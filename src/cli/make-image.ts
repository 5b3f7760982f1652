import { type Image, imageSchema } from '../contracts/image.ts';
import type { Operation } from '../contracts/operation.ts';
import { formatSize } from '../contracts/size.ts';
import type { Cli } from './cli.ts';
import { followOperation } from './follow-operation.ts';
import { detailLines } from './table.ts';
import { formatAge } from './terminal-text.ts';

/** Follows an operation that makes an image, and prints the image. */
export async function makeImage(cli: Cli, operation: Operation): Promise<void> {
  const ended = await followOperation(cli, operation);
  if (cli.output.json) cli.output.printJson(ended);
  else cli.output.print(...imageLines(imageSchema.parse(ended.result), { now: Date.now(), width: cli.output.width }));
}

/** An image as lines for people. */
export function imageLines(
  image: Image,
  { now, width }: { readonly now: number; readonly width: number },
): readonly string[] {
  const { provenance } = image;
  return detailLines(
    [
      ['name', image.name],
      ['id', image.id],
      ['kind', image.managed ? 'managed' : 'unmanaged: the files are yours'],
      ['size', formatSize(image.sizeBytes)],
      ['digest', image.digest],
      ['made by', provenance.method],
      ['from', provenance.source && `${provenance.source.name} (${provenance.source.digest})`],
      ['packages', image.packageCount === undefined ? undefined : String(image.packageCount)],
      ['rootfs', image.rootfsPath],
      ['kernel', image.boot.kernelPath],
      ['initrd', image.boot.initrdPath],
      ['modules', image.boot.modulesPath],
      ['created', `${image.createdAt} (${formatAge(image.createdAt, now)})`],
      ['operation', provenance.operationId],
    ],
    width,
  );
}
