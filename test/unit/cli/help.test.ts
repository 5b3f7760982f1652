import { describe, expect, test } from 'vitest';
import type { Cli } from '../../../src/cli/cli.ts';
import { COMMANDS, type DefineCommand, GROUPS } from '../../../src/cli/command-table.ts';
import { Output } from '../../../src/cli/output.ts';
import { buildProgram } from '../../../src/cli/program.ts';

/** What `banger WORDS --help` prints on a terminal of so many columns; undefined: on none. */
async function help(words: string, columns: number | undefined): Promise<readonly string[]> {
  let said = '';
  const stdout = { isTTY: columns !== undefined, columns: columns ?? 0, write: (text: string) => (said += text) };
  const output = new Output({ stdout, stderr: stdout, env: {}, json: false });
  const loaded = new Map<string, DefineCommand>();
  for (const entry of COMMANDS) loaded.set(entry.words, await entry.load());
  const program = buildProgram(COMMANDS, loaded, { output } as unknown as Cli);
  await expect(program.parseAsync([...words.split(' ').filter(Boolean), '--help'], { from: 'user' })).rejects.toThrow(
    'outputHelp',
  );
  return said.trimEnd().split('\n');
}

const EVERY = ['', ...Object.keys(GROUPS), ...COMMANDS.map(({ words }) => words)];

describe.each([80, 200])('at %d columns', (columns) => {
  test.each(EVERY)('banger %s --help fits, and no word of it is broken', async (words) => {
    const lines = await help(words, columns);
    expect(lines[0]).toMatch(/^Usage: banger/);
    for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(columns);
    const wide = (await help(words, 1000)).join(' ').replaceAll(/\s+/g, ' ');
    expect(lines.join(' ').replaceAll(/\s+/g, ' ')).toBe(wide);
  });
});

test('off a terminal it is as on an ordinary one, but for what stands after the flags', async () => {
  const lines = await help('vm run', undefined);
  expect(lines).toContain('  --image <image>      the image it starts from (default: the config’s');
  expect(lines).toContain('command\'s output goes to stderr, and {"vm": ..., "exitStatus": ...} to stdout.');
});

test('no group offers a command `help` that the others do not have', async () => {
  for (const words of EVERY) expect((await help(words, 80)).join('\n')).not.toMatch(/^ +help /m);
});
