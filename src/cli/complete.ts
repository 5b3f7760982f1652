/** `banger complete -- WORDS...`: what the completion script of a shell asks for. */
import { type Command as Completable, RootCommand } from '@bomb.sh/tab';
import type { Command } from 'commander';
import { ClientError } from '../client/client-error.ts';
import type { Cli } from './cli.ts';
import { COMMANDS, type DefineCommand } from './command-table.ts';
import { buildProgram } from './program.ts';

type Names = readonly string[];

/**
 * Prints completions. Names come from a daemon that runs; none is started for a press of the Tab key.
 *
 * @returns the exit status.
 */
export async function complete(words: readonly string[], cli: Cli): Promise<number> {
  const loaded = new Map<string, DefineCommand>();
  for (const entry of COMMANDS) loaded.set(entry.words, await entry.load());
  const tree = new RootCommand();
  describe(tree, buildProgram(COMMANDS, loaded, cli), await knownNames(words, cli));
  tree.parse([...words]);
  return 0;
}

function describe(tree: RootCommand, program: Command, names: (noun: string, option?: string) => Names): void {
  const visit = (command: Command, words: readonly string[]): void => {
    for (const child of command.commands) {
      const path = [...words, child.name()];
      const completable = tree.command(path.join(' '), child.description());
      addOptions(completable, child, names);
      for (const argument of child.registeredArguments) {
        const noun = path[0] ?? '';
        const found = argument.name() === 'name' || argument.variadic ? names(noun) : [];
        completable.argument(argument.name(), (offer) => found.forEach((name) => offer(name, '')), argument.variadic);
      }
      visit(child, path);
    }
  };
  visit(program, []);
}

function addOptions(completable: Completable, command: Command, names: (noun: string, option?: string) => Names): void {
  for (const option of command.options) {
    const long = option.long?.slice(2);
    if (long === undefined) continue;
    const short = option.short?.slice(1);
    const takesValue = option.required || option.optional;
    if (!takesValue) completable.option(long, option.description, short);
    else {
      const values = long === 'image' || long === 'from' ? names('image') : [];
      completable.option(long, option.description, (offer) => values.forEach((value) => offer(value, '')), short);
    }
  }
}

/** Names to offer, fetched only where the words show that they are wanted. */
async function knownNames(words: readonly string[], cli: Cli): Promise<(noun: string) => Names> {
  const noun = words[0] ?? '';
  const wanted = new Map<string, Names>();
  try {
    const { client } = await cli.session.connect({ autoStart: false });
    if (noun === 'vm' && words.length > 2)
      wanted.set(
        'vm',
        (await client.call('vmList', {})).map(({ name }) => name),
      );
    if (words.length > 2 && (noun === 'image' || noun === 'vm')) {
      wanted.set(
        'image',
        (await client.call('imageList', {})).map(({ name }) => name),
      );
    }
    if (noun === 'op' && words.length > 2) {
      wanted.set(
        'op',
        (await client.call('operationList', {})).map(({ id }) => id),
      );
    }
  } catch (error) {
    // No daemon, no names: a completion must not print errors into the line that is being typed.
    if (!(error instanceof ClientError)) throw error;
  }
  return (name) => wanted.get(name) ?? [];
}
