import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { commandLine, killLine } from '../../../../src/adapters/ssh/command-line.ts';
import { AppError } from '../../../../src/core/app-error.ts';

const execute = promisify(execFile);

/** What a program sees: its arguments and one variable, each ended by a NUL. */
const SHOW = 'process.stdout.write([...process.argv.slice(1), process.env.SHOWN ?? "unset"].join("\\0") + "\\0")';

async function seenThrough(shell: string, args: readonly string[], shown: string | undefined): Promise<string[]> {
  const line = commandLine(
    {
      program: process.execPath,
      args: ['-e', SHOW, '--', ...args],
      ...(shown === undefined ? {} : { env: { SHOWN: shown } }),
    },
    'marker',
  );
  const { stdout } = await execute(shell, ['-c', line], { encoding: 'utf8', env: {} });
  const [first, ...rest] = stdout.split('\n');
  expect(first).toMatch(/^marker \d+$/);
  return rest.join('\n').split('\0').slice(0, -1);
}

const value = fc
  .oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.string({
      unit: fc.constantFrom("'", '"', '\\', '$', '`', ' ', '\n', '\t', '!', '*', '~', '-', ';', '&', '(', '#', 'a'),
    }),
    fc.constantFrom('', '-n', '--', "'", "''", '$(reboot)', '`id`', '${HOME}', '\n', 'a\\', '~', '*'),
  )
  .filter((text) => !text.includes('\0') && text.isWellFormed());

test.each(['/bin/bash', '/bin/sh'])('every value arrives unchanged through %s', async (shell) => {
  await fc.assert(
    fc.asyncProperty(fc.array(value, { maxLength: 4 }), fc.option(value, { nil: undefined }), async (args, shown) => {
      expect(await seenThrough(shell, args, shown)).toEqual([...args, shown ?? 'unset']);
    }),
    { numRuns: 40 },
  );
});

test('becomes the program: the pid it prints is the program’s own', async () => {
  const line = commandLine({ program: process.execPath, args: ['-e', 'console.log(process.pid)'] }, 'm');
  const { stdout } = await execute('/bin/bash', ['-c', line]);
  const [marked, pid] = stdout.split('\n');
  expect(marked).toBe(`m ${pid}`);
});

test.each(['A B', '1A', 'A=B', '', 'A-B', 'A\n', 'Ä', 'A;reboot'])('refuses %j as the name of a variable', (name) => {
  expect(() => commandLine({ program: '/bin/true', env: { [name]: '' } }, 'm')).toThrow(AppError);
});

test.each(['true', './true', '', '/a=b'])('refuses %j as a program', (program) => {
  expect(() => commandLine({ program }, 'm')).toThrow(AppError);
});

test.each(['a\0b', '\ud800'])('refuses the value %j', (text) => {
  expect(() => commandLine({ program: '/bin/true', args: [text] }, 'm')).toThrow(AppError);
  expect(() => commandLine({ program: '/bin/true', env: { A: text } }, 'm')).toThrow(AppError);
});

test.each(['/bin/bash', '/bin/dash'])('kills a whole process group, through %s', async (shell) => {
  // Two processes in a group of their own; the first line tells that both are there.
  const group = spawn('/bin/sh', ['-c', 'sleep 600 & echo up; wait'], {
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [closed] = [once(group, 'close'), await once(group.stdout, 'data')];
  await execute(shell, ['-c', killLine(group.pid ?? 0)]);
  // Closed once nobody holds the pipe any more: neither the shell nor its child.
  expect(await closed).toEqual([null, 'SIGKILL']);
});
