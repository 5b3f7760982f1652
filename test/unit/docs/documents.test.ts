/** What the documents name is there: links, files, commands and their flags, error codes. */
import { existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Command } from 'commander';
import type { Cli } from '../../../src/cli/cli.ts';
import { COMMANDS, type DefineCommand, GROUPS } from '../../../src/cli/command-table.ts';
import { buildProgram } from '../../../src/cli/program.ts';
import { ERROR_CODES } from '../../../src/contracts/errors.ts';
import {
  anchorsOf,
  codeOf,
  firstCells,
  inlineCode,
  linkTargets,
  readDocument,
  readDocuments,
} from '../../support/documents.ts';
import { REPOSITORY_ROOT } from '../../support/source-tree.ts';

const documents = readDocuments();
/** Written for people, by people: the reference is made from the sources. */
const guides = documents.filter(({ path }) => !path.startsWith('docs/reference/'));

test('there is a README, and a guide', () => {
  expect(guides.map(({ path }) => path)).toEqual(
    expect.arrayContaining(['README.md', 'docs/README.md', 'docs/on-disk.md', 'docs/guide/first-image.md']),
  );
});

describe.each(documents)('$path', (document) => {
  const targets = linkTargets(document).filter((target) => !/^[a-z]+:/.test(target));

  test('every link leads somewhere', () => {
    const broken = targets.filter((target) => !leadsSomewhere(document.path, target));
    expect(broken).toEqual([]);
  });

  test('every file that it names exists', () => {
    const named = inlineCode(document.text).filter((code) =>
      /^(test|src|guest|docs|scripts|bin|bench)\/[\w./-]+$/.test(code),
    );
    // NAME stands for a name.
    const missing = named.filter((path) => !path.includes('NAME') && !existsSync(join(REPOSITORY_ROOT, path)));
    expect(missing).toEqual([]);
  });
});

describe('commands', () => {
  const mentioned = guides.flatMap((document) =>
    codeOf(document).flatMap((code) => commandsIn(code).map((words) => ({ path: document.path, words }))),
  );
  let program: Command;

  beforeAll(async () => {
    const loaded = new Map<string, DefineCommand>();
    for (const entry of COMMANDS) loaded.set(entry.words, await entry.load());
    // Defining a command touches nothing of the command line's world; running one would.
    program = buildProgram(COMMANDS, loaded, {} as Cli);
  });

  test('those that are named exist, with their flags', () => {
    expect(mentioned.length).toBeGreaterThan(50);
    const faults = mentioned.flatMap(({ path, words }) => {
      const fault = faultOf(program, words);
      return fault === undefined ? [] : [`${path}: banger ${words.join(' ')}: ${fault}`];
    });
    expect(faults).toEqual([]);
  });

  test('each is named somewhere', () => {
    const named = new Set(mentioned.flatMap(({ words }) => [words[0] ?? '', words.slice(0, 2).join(' ')]));
    expect(COMMANDS.map(({ words }) => words).filter((words) => !named.has(words))).toEqual([]);
  });

  test.each([
    ['image bootstrap', 'docs/guide/first-image.md'],
    ['image build', 'docs/guide/building-images.md'],
    ['vm create', 'docs/guide/vms.md'],
    ['vm run', 'docs/guide/vms.md'],
  ])('every flag of %s is explained in %s', (words, path) => {
    const cells = firstCells(readDocument(path).text);
    const flags = optionsOf(find(program, words.split(' '))).filter((flag) => /^--(?!json|help)/.test(flag));
    expect(flags.length).toBeGreaterThan(3);
    expect(flags.filter((flag) => !cells.some((cell) => new RegExp(`\`${flag}[ \`]`).test(cell)))).toEqual([]);
  });
});

test('every code that troubleshooting explains is one', () => {
  const codes = firstCells(readDocument('docs/guide/troubleshooting.md').text).flatMap((cell) =>
    [...cell.matchAll(/`([A-Z_]+)`/g)].map(([, code]) => code ?? ''),
  );
  expect(codes.length).toBeGreaterThan(10);
  expect(codes.filter((code) => !ERROR_CODES.some((known) => known === code))).toEqual([]);
});

function leadsSomewhere(from: string, target: string): boolean {
  const [file = '', anchor] = target.split('#');
  const path = file === '' ? from : normalize(join(dirname(from), decodeURIComponent(file)));
  if (!existsSync(join(REPOSITORY_ROOT, path))) return false;
  if (anchor === undefined || !path.endsWith('.md')) return true;
  return anchorsOf(readDocument(path)).includes(anchor);
}

/** Words after each `banger` in a piece of code, up to what belongs to the guest, the shell or a comment. */
function commandsIn(code: string): readonly (readonly string[])[] {
  return [...code.matchAll(/(?:^|[\s"(/])banger ((?![\w.]+\/)[a-z-][^`]*)/g)].map(
    ([, rest]) =>
      (rest ?? '')
        .split(/ --(?: |$)|[#|)'"<]|  |, /)[0]
        ?.trim()
        .split(' ') ?? [],
  );
}

function faultOf(program: Command, words: readonly string[]): string | undefined {
  const [first = '', second = ''] = words;
  if (first.startsWith('-')) return optionsOf(program).includes(first) ? undefined : `there is no flag ${first}`;
  if (Object.hasOwn(GROUPS, first) && !/^[a-z]/.test(second)) return undefined;
  const command = find(program, Object.hasOwn(GROUPS, first) ? [first, second] : [first]);
  if (!command) return 'there is no such command';
  const unknown = words.filter(
    (word) => /^--?[a-z]/.test(word) && !optionsOf(command).includes(word.split('=')[0] ?? ''),
  );
  return unknown.length === 0 ? undefined : `it has no ${unknown.join(', ')}`;
}

function find(program: Command, names: readonly string[]): Command | undefined {
  return names.reduce<Command | undefined>(
    (command, name) => command?.commands.find((child) => child.name() === name),
    program,
  );
}

function optionsOf(command: Command | undefined): readonly string[] {
  const own = command?.options.flatMap(({ long, short }) => [long ?? '', short ?? '']) ?? [];
  return [...own.filter((flag) => flag !== ''), '--help', '-h'];
}
