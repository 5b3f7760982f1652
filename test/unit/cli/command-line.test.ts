import { expect, test } from 'vitest';
import { COMMANDS, GROUPS } from '../../../src/cli/command-table.ts';
import { readCommandLine } from '../../../src/cli/program.ts';
import { checked, durationFlag, integerFlag, pathFlag, sizeFlag } from '../../../src/cli/request.ts';
import { UsageError } from '../../../src/cli/usage-error.ts';
import { createVmRequestSchema } from '../../../src/contracts/vm.ts';

test.each([
  [['vm', 'list'], 'vm list'],
  [['--json', 'vm', 'list'], 'vm list'],
  [['vm', 'run', '--rm', '--', 'vm', 'list'], 'vm run'],
  [['doctor', '--for', 'vm'], 'doctor'],
  [['vm', 'lst'], undefined],
  [['vm'], undefined],
  [[], undefined],
])('%j is %s', (argv, words) => {
  expect(readCommandLine(argv).entry?.words).toBe(words);
});

test('only a command that runs something in a guest splits at --', () => {
  expect(readCommandLine(['vm', 'run', '--rm', '--', 'ls', '--', '--json'])).toMatchObject({
    argv: ['vm', 'run', '--rm'],
    guestCommand: ['ls', '--', '--json'],
    json: false,
  });
  expect(readCommandLine(['vm', 'ssh', 'x']).guestCommand).toBeUndefined();
  expect(readCommandLine(['image', 'delete', '--', 'x'])).toMatchObject({ argv: ['image', 'delete', '--', 'x'] });
});

test('every command loads, and stands in a group that is described', async () => {
  for (const entry of COMMANDS) {
    expect(await entry.load()).toBeTypeOf('function');
    const [first = '', second] = entry.words.split(' ');
    if (second !== undefined) expect(Object.keys(GROUPS)).toContain(first);
  }
});

test.each([[''], ['8X'], ['-1G'], ['1e99G'], ['8 G'], ['NaN']])('--size %j is refused', (text) => {
  expect(() => sizeFlag('--size', text)).toThrow(expect.objectContaining({ code: 'SIZE_INVALID' }));
});

test('a size that is too small is told with the least', () => {
  const tooSmall = () => checked(createVmRequestSchema, { memoryBytes: sizeFlag('--memory', '12') });
  expect(tooSmall).toThrow('--memory: 12B is too small, the least is 128M');
  expect(tooSmall).toThrow(UsageError);
});

test.each([['1.5'], ['-1'], ['two'], ['']])('--cpus %j is refused', (text) => {
  expect(() => integerFlag('--cpus', text)).toThrow('is not a whole number');
});

test.each([
  ['90s', 90_000],
  ['20m', 1_200_000],
  ['1h', 3_600_000],
])('a duration %s is %d ms', (text, milliseconds) => {
  expect(durationFlag('--step-timeout', text)).toBe(milliseconds);
});

test.each([['90'], ['m'], ['1d'], ['-5m'], ['1.5h']])('a duration %j is refused', (text) => {
  expect(() => durationFlag('--step-timeout', text)).toThrow('is not a duration');
});

test('paths are made absolute where the user stands', () => {
  expect(pathFlag('/home/me', 'x/../kernel')).toBe('/home/me/kernel');
  expect(pathFlag('/home/me', '/boot/vmlinuz')).toBe('/boot/vmlinuz');
  expect(pathFlag('/home/me', undefined)).toBeUndefined();
});
