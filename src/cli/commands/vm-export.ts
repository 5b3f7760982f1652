import { StringDecoder } from 'node:string_decoder';
import type { Command } from 'commander';
import { formatSize } from '../../contracts/size.ts';
import { BASE_REF } from '../../client/workspace/git.ts';
import { type ExportPlan, exportToFile, exportWorkspace } from '../../client/workspace/export-workspace.ts';
import type { Cli } from '../cli.ts';
import { watchInterrupts } from '../interrupt.ts';
import { checkedName, pathFlag } from '../request.ts';
import { visible } from '../terminal-text.ts';
import { UsageError } from '../usage-error.ts';

interface Flags {
  readonly output?: string;
  readonly commits?: boolean;
}

export function vmExport(command: Command, cli: Cli): void {
  command
    .argument('<name>', 'the VM')
    .argument('[path]', 'work tree in the guest (default: the one that `vm run PATH` brought into it)')
    .option('-o, --output <file>', 'write the patch there; left out, it goes to stdout')
    .option('--commits', 'one mail a commit, for `git am`; what was not committed is the last one')
    .addHelpText(
      'after',
      `
Everything that was changed in the VM since the repository came into it:
commits, what was not committed, and new files that are not ignored. Look at
it, then apply it in the repository here:

  banger vm export box -o box.patch
  git apply --stat --check box.patch && git apply box.patch

  banger vm export box --commits -o box.mbox && git am box.mbox

Nothing is applied by itself, and nothing in the VM is changed. Where nothing
was changed no file is written.`,
    )
    .action(async (nameText: string, path: string | undefined, flags: Flags) => {
      const plan = await planOf(cli, checkedName(nameText), { path, form: flags.commits ? 'mails' : 'diff' });
      const file = pathFlag(cli.cwd, flags.output);
      if (cli.output.json && file === undefined) {
        throw new UsageError('REQUEST_INVALID', '--json needs --output: stdout can be only one of both');
      }
      using interrupts = watchInterrupts();
      const { signal } = interrupts;
      const bytes =
        file === undefined
          ? await exportWorkspace(cli.session, plan, { signal, write: patchWriter() })
          : await exportToFile(cli.session, plan, { path: file, signal });
      if (cli.output.json) cli.output.printJson({ ...plan, file, bytes });
      else if (bytes === 0) cli.output.note(`Nothing was changed in ${visible(plan.guestPath)}.`);
      else if (file !== undefined) cli.output.note(`${visible(file)}: ${formatSize(bytes)}`);
    });
}

async function planOf(
  cli: Cli,
  vmName: string,
  { path, form }: { readonly path: string | undefined; readonly form: ExportPlan['form'] },
): Promise<ExportPlan> {
  const { workspace } = await cli.session.call('vmShow', { params: { name: vmName } });
  if (path !== undefined && path !== workspace?.guestPath) {
    const guestPath = path.startsWith('/') ? path : `/root/${path}`;
    return { vmName, guestPath, base: BASE_REF, form };
  }
  if (workspace) return { vmName, guestPath: workspace.guestPath, base: workspace.base, form };
  throw new UsageError('REQUEST_INVALID', `no repository was brought into ${vmName}: name its folder in the guest`, {
    hint: `A repository that was made there has no commit to compare with, unless ${BASE_REF} names one.`,
  });
}

/** What a guest has written must not act on a terminal, where nobody applies it anyway. */
function patchWriter(): (data: Uint8Array) => Promise<void> {
  const { stdout } = process;
  const decoder = new StringDecoder('utf8');
  const shown = (data: Uint8Array): string => decoder.write(Buffer.from(data)).split('\n').map(visible).join('\n');
  return (data) =>
    new Promise((resolve, reject) => {
      stdout.write(stdout.isTTY ? shown(data) : data, (error) => (error ? reject(error) : resolve()));
    });
}
