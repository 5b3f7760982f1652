import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { remoteCommand, shellQuote } from '../../../src/client/shell-quote.ts';

/** Any text a program can be given: no NUL, no half of a surrogate pair. */
const word = fc.oneof(
  fc.string({ unit: 'binary' }).filter((text) => !text.includes('\0')),
  fc.constantFrom(
    '',
    ' ',
    "'",
    '"',
    '$(reboot)',
    '`id`',
    '\\',
    '-n',
    '--',
    '~',
    '*',
    '!',
    '#',
    'a=b',
    'if',
    '\n',
    '%s',
    '$HOME',
  ),
  fc
    .array(fc.constantFrom("'", '"', '\\', '$', ' ', '\n', '`', '!', 'a'), { maxLength: 12 })
    .map((parts) => parts.join('')),
);

/** What a shell makes of a command line whose program prints its arguments, NUL between them. */
function readBy(shell: readonly [string, ...string[]], command: string): string[] {
  const [program, ...flags] = shell;
  const output = execFileSync(program, [...flags, '-c', command], { encoding: 'utf8' });
  return output.split('\0').slice(0, -1);
}

describe.each([['bash'], ['sh']])('%s', (shell) => {
  test('reads every quoted word as the very text', () => {
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 8 }), (words) => {
        const command = `printf '%s\\0' ${words.map(shellQuote).join(' ')}`;
        expect(readBy([shell], command)).toEqual(words);
      }),
      { numRuns: 60 },
    );
  });

  test('runs several arguments as the words of one command', () => {
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 6 }), (words) => {
        const command = remoteCommand(['printf', '%s\\0', ...words]) ?? '';
        expect(readBy([shell], command)).toEqual(words);
      }),
      { numRuns: 60 },
    );
  });
});

test('no word stands for a keyword, an assignment or a flag of the shell', () => {
  for (const text of ['if', 'time', 'a=b', '!', '{', '[[', '~root', '=ls']) expect(shellQuote(text)).toBe(`'${text}'`);
  expect(shellQuote('/usr/bin/git-1.2')).toBe('/usr/bin/git-1.2');
});

test('one argument is shell text, none is a login shell', () => {
  expect(remoteCommand(['ls | wc -l'])).toBe('ls | wc -l');
  expect(remoteCommand([])).toBeUndefined();
});

test('a NUL is refused', () => {
  expect(() => shellQuote('a\0b')).toThrow('NUL');
});
