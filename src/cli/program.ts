/** argv to a command: which one it is, its flags, its help. */
import { Command, CommanderError } from 'commander';
import { BANGER_VERSION } from '../contracts/version.ts';
import type { Cli } from './cli.ts';
import { type CommandEntry, COMMANDS, type DefineCommand, GROUPS } from './command-table.ts';
import { EXIT_STATUS } from './exit-status.ts';
import { wrapUnder } from './terminal-text.ts';

export interface CommandLine {
  /** Everything before the first `--` of a command that runs in a guest; all of it for other commands. */
  readonly argv: readonly string[];
  readonly guestCommand: readonly string[] | undefined;
  readonly entry: CommandEntry | undefined;
  readonly json: boolean;
}

const EXIT_STATUS_HELP = `
Exit status:
  0    done
  1    it was tried and failed
  2    the command line is wrong; nothing was sent
  130  Ctrl-C; for another signal 128 + its number
  \`vm run\`, \`vm exec\` and \`vm ssh\` end with the status of what ran inside.`;

/** What the words mean, before any flag is looked at. */
export function readCommandLine(argv: readonly string[]): CommandLine {
  const separator = argv.indexOf('--');
  const before = separator < 0 ? argv : argv.slice(0, separator);
  const words = before.filter((word) => !word.startsWith('-'));
  const entry =
    COMMANDS.find((candidate) => candidate.words === `${words[0]} ${words[1]}`) ??
    COMMANDS.find((candidate) => candidate.words === words[0]);
  const splits = entry?.runsInGuest === true && separator >= 0;
  return {
    argv: splits ? before : argv,
    guestCommand: splits ? argv.slice(separator + 1) : undefined,
    entry,
    json: before.includes('--json'),
  };
}

/**
 * The program with these commands' names and summaries; `loaded` alone have their flags.
 *
 * @param loaded definitions by their words.
 */
export function buildProgram(
  entries: readonly CommandEntry[],
  loaded: ReadonlyMap<string, DefineCommand>,
  cli: Cli,
): Command {
  const program = new Command('banger')
    .description('A real Linux machine in one command: microVMs from images that were built inside microVMs.')
    .version(`banger ${BANGER_VERSION}`, '-V, --version', 'the version')
    .helpOption('-h, --help', 'help for a command')
    .configureOutput({
      getOutHelpWidth: () => helpWidth(cli.output.width),
      getErrHelpWidth: () => helpWidth(cli.output.noteWidth),
      writeOut: (text) => cli.output.print(...helpLines(text, cli.output.width)),
      // Errors are told in our own form; what is left is the help of a group that was given no command.
      writeErr: (text) =>
        text.startsWith('Usage:') ? cli.output.note(...helpLines(text, cli.output.noteWidth)) : undefined,
    })
    .configureHelp({ subcommandTerm: (command) => command.name() })
    .helpCommand(false)
    .addHelpText('after', EXIT_STATUS_HELP)
    .showSuggestionAfterError()
    .exitOverride();
  const groups = new Map<string, Command>();
  for (const entry of entries) {
    const [first = '', second] = entry.words.split(' ');
    const parent = second === undefined ? program : groupOf(program, groups, first);
    const command = parent.command(second ?? first).description(entry.summary);
    loaded.get(entry.words)?.(command, cli);
    command.option('--json', 'print JSON, and no progress');
  }
  return program;
}

/** Off a terminal help is as wide as on an ordinary one. */
function helpWidth(columns: number): number {
  return Number.isFinite(columns) ? columns : 80;
}

/** Commander fits what it writes itself to the terminal, not what stands after it. */
function helpLines(text: string, width: number): readonly string[] {
  return text
    .trimEnd()
    .split('\n')
    .flatMap((line) => wrapUnder(line, width, ''));
}

function groupOf(program: Command, groups: Map<string, Command>, name: string): Command {
  const known = groups.get(name);
  if (known) return known;
  const group = program
    .command(name)
    .description(GROUPS[name] ?? '')
    .helpCommand(false);
  groups.set(name, group);
  return group;
}

/**
 * Parses and runs.
 *
 * @returns the exit status where commander itself had the last word: 0 for help, 2 for a wrong command line;
 * undefined where a command ran.
 */
export async function runProgram(line: CommandLine, cli: Cli): Promise<number | undefined> {
  const loaded = new Map<string, DefineCommand>();
  if (line.entry) loaded.set(line.entry.words, await line.entry.load());
  // All the others are needed where help or a suggestion may be.
  const program = buildProgram(line.entry ? [line.entry] : COMMANDS, loaded, cli);
  try {
    await program.parseAsync([...line.argv], { from: 'user' });
    return undefined;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return EXIT_STATUS.ok;
    await sayUsageError(error, line, cli);
    return EXIT_STATUS.usage;
  }
}

/** Where the help is for what was typed. */
export function seeHelp(line: CommandLine): string {
  const words = line.entry?.words ?? line.argv.find((word) => Object.hasOwn(GROUPS, word));
  return `See \`banger${words === undefined ? '' : ` ${words}`} --help\`.`;
}

async function sayUsageError(error: CommanderError, line: CommandLine, cli: Cli): Promise<void> {
  // A group without a command has shown its help already.
  if (error.code === 'commander.help') return;
  const { UsageError } = await import('./usage-error.ts');
  const { reportError } = await import('./error-report.ts');
  // Commander's advice is a second line: "(Did you mean list?)".
  const [what = '', advice = ''] = error.message.replace(/^error: /, '').split('\n');
  const meant = advice.replace(/^\((.*)\)$/, '$1 ');
  await reportError(cli.output, new UsageError('REQUEST_INVALID', what, { hint: `${meant}${seeHelp(line)}` }));
}
