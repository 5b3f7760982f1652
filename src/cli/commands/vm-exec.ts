import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { runInVm } from '../run-in-vm.ts';
import { UsageError } from '../usage-error.ts';

interface Flags {
  /** Undefined where neither `--tty` nor `--no-tty` was given. */
  readonly tty?: boolean;
  readonly interactive?: boolean;
  readonly env?: readonly string[];
  readonly workdir?: string;
  readonly user?: string;
}

export function vmExec(command: Command, cli: Cli): void {
  command
    .usage('[options] <name> -- COMMAND...')
    .argument('<name>', 'the VM')
    .option('-t, --tty', 'give it a terminal (default: where stdin and stdout are one)')
    .option('--no-tty', 'give it none')
    .option('-i, --interactive', 'pass our stdin on; with a terminal that is so anyway')
    .option('-e, --env <name=value>', 'set a variable; may be given several times', collect)
    .option('-w, --workdir <folder>', 'run it there (default: the VM’s workspace, else the home)')
    .option('-u, --user <user>', 'run it as that user of the guest (default: root)')
    .addHelpText(
      'after',
      `
One word after -- is shell text ('ls | wc -l'); several are a program and its
arguments, taken as they are.
The exit status is the command's; 128 + its number for a signal; 255 where the
connection was lost. Ctrl-C and other signals go to the command; when we are
killed, so is it. With --json the command's output goes to stderr, and
{"exitStatus": ...} to stdout.`,
    )
    .action(async (nameText: string, flags: Flags) => {
      const words = cli.guestCommand ?? [];
      if (words.length === 0) throw new UsageError('REQUEST_INVALID', 'a command must follow --');
      const { json } = cli.output;
      const terminal = flags.tty ?? (cli.isInteractive && !json);
      if (terminal && json) throw new UsageError('REQUEST_INVALID', '--json and --tty do not go together');
      const exitStatus = await runInVm(cli, await vmName(nameText), {
        request: {
          command: words,
          env: flags.env && readVariables(flags.env),
          workdir: flags.workdir,
          user: flags.user,
        },
        terminal,
        input: terminal || flags.interactive === true,
        stdout: json ? 'stderr' : 'stdout',
      });
      if (json) cli.output.printJson({ exitStatus });
      cli.exitWith(exitStatus);
    });
}

/** The schemas, which take longer to load than the command itself, only where they have something to say. */
async function vmName(text: string): Promise<string> {
  if (/^[a-z0-9-]{1,63}$/.test(text) && !/^-|-$/.test(text)) return text;
  const { checkedName } = await import('../request.ts');
  return checkedName(text);
}

function readVariables(assignments: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    assignments.map((assignment) => {
      const at = assignment.indexOf('=');
      const name = assignment.slice(0, at);
      if (at > 0 && /^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return [name, assignment.slice(at + 1)];
      throw new UsageError('REQUEST_INVALID', `--env ${JSON.stringify(assignment)} is not NAME=VALUE`);
    }),
  );
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}
