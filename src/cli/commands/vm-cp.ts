import { isAbsolute } from 'node:path';
import type { Command } from 'commander';
import { formatSize } from '../../contracts/size.ts';
import {
  copyFromGuest,
  copyToGuest,
  type CopyOptions,
  type CopyResult,
  type GuestPath,
  streamFromGuest,
  streamToGuest,
} from '../../client/copy/copy.ts';
import { parseCopyEnd } from '../../client/copy/copy-path.ts';
import type { Cli } from '../cli.ts';
import { watchInterrupts } from '../interrupt.ts';
import { formatDuration, outputLine, visible } from '../terminal-text.ts';
import { transferView } from '../transfer-view.ts';
import { UsageError } from '../usage-error.ts';

interface Flags {
  readonly followLink?: boolean;
}

export function vmCp(command: Command, cli: Cli): void {
  command
    .argument('<source>', 'NAME:PATH in a VM, a path here, or - for stdin')
    .argument('<target>', 'the same; - for stdout')
    .option('-L, --follow-link', 'where the source is a link, copy what it leads to')
    .addHelpText(
      'after',
      `
A file or folder goes into a target that is a folder, under its own name; else
it gets the target's name, whose parent must be there. SOURCE/. is what is in a
folder. Folders are joined with those that are there; a file or link takes the
place of a file or link. Modes, times and links are kept. Owners are not: root
in the guest, you here.
A path in a VM that does not begin with / is below /root. A path here with a
colon is written ./a:b. - is one file's content.`,
    )
    .action(async (sourceText: string, targetText: string, flags: Flags) => {
      const source = parseCopyEnd(sourceText);
      const target = parseCopyEnd(targetText);
      const inGuest = source.kind === 'guest' ? source : target;
      if (inGuest.kind !== 'guest' || source.kind === target.kind) {
        throw new UsageError('REQUEST_INVALID', 'one of both must be in a VM (NAME:PATH), and the other not');
      }
      const other = source.kind === 'guest' ? target : source;
      if (other.kind === 'host') {
        const job = { guest: inGuest, hostPath: hostPath(cli, other.path), intoGuest: target.kind === 'guest' };
        await copyTree(cli, job, flags);
      } else await copyStream(cli, inGuest, target.kind === 'guest');
    });
}

/** Not normalised: what a path ends with says how it is meant. */
function hostPath({ cwd }: Cli, path: string): string {
  if (path === '') throw new UsageError('REQUEST_INVALID', 'an empty path names nothing');
  return isAbsolute(path) ? path : `${cwd}/${path}`;
}

interface TreeJob {
  readonly guest: GuestPath;
  readonly hostPath: string;
  readonly intoGuest: boolean;
}

async function copyTree(cli: Cli, job: TreeJob, flags: Flags): Promise<void> {
  using interrupts = watchInterrupts();
  const { guest, intoGuest } = job;
  const startedMs = performance.now();
  const view = transferView(cli.output, `${guest.vmName}:${guest.path}`);
  let result: CopyResult;
  try {
    const options: CopyOptions = {
      followLink: flags.followLink ?? false,
      onTotal: (bytes) => view.total(bytes),
      onBytes: (count) => view.add(count),
      signal: interrupts.signal,
    };
    result = intoGuest
      ? await copyToGuest(cli.session, { hostPath: job.hostPath, target: guest }, options)
      : await copyFromGuest(cli.session, { source: guest, hostPath: job.hostPath }, options);
  } finally {
    view[Symbol.dispose]();
  }
  tell(cli, result, performance.now() - startedMs);
}

function tell({ output }: Cli, result: CopyResult, elapsedMs: number): void {
  if (output.json) {
    output.printJson(result);
    return;
  }
  for (const what of result.skipped) output.note(`left out: ${visible(what)}`);
  for (const line of result.warnings) output.note(`${output.colors.yellow('warning:')} ${outputLine(line)}`);
  if (!output.isLive) return;
  const rate = formatSize((result.bytes / elapsedMs) * 1000);
  const files = result.files === 1 ? '1 file' : `${result.files} files`;
  output.note(`${files}, ${formatSize(result.bytes)} in ${formatDuration(elapsedMs)} (${rate}/s)`);
}

async function copyStream(cli: Cli, guest: GuestPath, intoGuest: boolean): Promise<void> {
  if (cli.output.json) throw new UsageError('REQUEST_INVALID', '--json and - do not go together');
  using interrupts = watchInterrupts();
  if (intoGuest) {
    const input = process.stdin as AsyncIterable<Buffer>;
    await streamToGuest(cli.session, { input, target: guest }, interrupts.signal);
    return;
  }
  const write = (data: Uint8Array): Promise<void> =>
    new Promise((resolve, reject) => {
      process.stdout.write(data, (error) => (error ? reject(error) : resolve()));
    });
  await streamFromGuest(cli.session, { source: guest, write }, interrupts.signal);
}
