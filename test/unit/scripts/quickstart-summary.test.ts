import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bangerCommand, summaryLines } from '../../../scripts/quickstart/summary.ts';
import type { Operation } from '../../../src/contracts/operation.ts';
import { run } from '../../../src/host/process.ts';
import { makeTempDir } from '../../support/temp-dir.ts';

const OPERATION: Operation = {
  id: 'op-0000000001',
  kind: 'image.build',
  target: 'first',
  state: 'succeeded',
  stages: [
    { name: 'clone', state: 'succeeded', durationMs: 1500 },
    { name: 'grow', state: 'skipped' },
  ],
  createdAt: '2026-01-01T00:00:00.000Z',
  endedAt: '2026-01-01T00:00:57.400Z',
};
const STEPS = [
  { what: 'image debian', operation: undefined },
  { what: 'image first', operation: OPERATION },
];
const FACTS = { steps: STEPS, vm: 'hello', image: 'first', tookMs: 60_000 };

test('what each part took, and what to do next', () => {
  expect(summaryLines({ ...FACTS, command: 'bin/banger' })).toEqual([
    'image debian: was there already',
    'image first: 57.4 s',
    '  bin/banger op show op-0000000001',
    '    clone                  1.5 s',
    'all of it: 60.0 s',
    '',
    'Try next:',
    '  bin/banger vm ssh hello',
    '  bin/banger vm run --rm --image first -- cat /proc/version',
    '  bin/banger image history first',
    '',
  ]);
});

test.each([
  ['/src/banger', undefined, 'bin/banger'],
  ['/src/banger', '', 'bin/banger'],
  ['/src/banger/bin', '/tmp/b', 'BANGER_HOME=/tmp/b ./banger'],
  ['/src', undefined, 'banger/bin/banger'],
  ['/home', 'here', 'BANGER_HOME=here /src/banger/bin/banger'],
])('in %s with the home %s it is called by %s', (cwd, home, command) => {
  expect(bangerCommand('/src/banger/bin/banger', cwd, home)).toBe(command);
});

test('every command can be pasted into a shell as it is', async () => {
  const dir = await makeTempDir();
  const root = join(dir, "my checkout's");
  const program = join(root, 'bin', 'banger');
  const home = join(dir, 'a home $HOME');
  await mkdir(join(root, 'bin'), { recursive: true });
  await writeFile(program, '#!/bin/sh\nprintf "%s" "$BANGER_HOME: $*"\n');
  await chmod(program, 0o755);
  for (const cwd of [root, dir, join(root, 'bin'), '/']) {
    const lines = summaryLines({ ...FACTS, command: bangerCommand(program, cwd, home) });
    const commands = lines.filter((line) => line.includes('banger'));
    const said = await Promise.all(commands.map(async (line) => (await run(['sh', '-c', line], { cwd })).stdout));
    expect(said).toEqual(
      [
        'op show op-0000000001',
        'vm ssh hello',
        'vm run --rm --image first -- cat /proc/version',
        'image history first',
      ].map((words) => `${home}: ${words}`),
    );
  }
});
