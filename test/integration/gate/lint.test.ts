import { copyFile, mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { run } from '../../../src/host/process.ts';
import { REPOSITORY_ROOT } from '../../support/source-tree.ts';
import { makeTempDir } from '../../support/temp-dir.ts';

interface Planted {
  readonly rule: string;
  readonly file: string;
  readonly source: string;
}

const RESTRICTED = 'eslint(no-restricted-imports)';

/** One violation a file; without the linter's types, or with a rule left out of its config, one of them would pass. */
const PLANTED: readonly Planted[] = [
  ...(
    [
      ['src/contracts/a.ts', 'node:crypto'],
      ['src/contracts/b.ts', '../core/x.ts'],
      ['src/core/images/a.ts', '../../host/process.ts'],
      ['src/core/images/b.ts', 'node:fs'],
      ['src/core/images/c.ts', 'semver'],
      ['src/host/a.ts', '../core/x.ts'],
      ['src/host/b.ts', 'node:child_process'],
      ['src/host/c.ts', 'ssh2'],
      ['src/adapters/qemu/a.ts', '../ssh/x.ts'],
      ['src/adapters/qemu/b.ts', 'node:child_process'],
      ['src/adapters/qemu/c.ts', 'node:sqlite'],
      ['src/adapters/qemu/d.ts', '../../daemon/config.ts'],
      ['src/adapters/store/migrations/a.ts', '../../ssh/x.ts'],
      ['src/forwarder/a.ts', '../core/x.ts'],
      ['src/forwarder/b.ts', 'node:child_process'],
      ['src/client/a.ts', '../core/x.ts'],
      ['src/cli/commands/a.ts', '../../core/x.ts'],
      ['src/cli/commands/b.ts', '../../host/process.ts'],
      ['src/daemon/handlers/a.ts', '../../adapters/ssh/x.ts'],
      ['src/daemon/handlers/b.ts', '../../cli/output.ts'],
      ['src/daemon/compose.ts', '../client/x.ts'],
      ['guest/agent/a.ts', 'node:fs'],
      ['guest/agent/b.ts', 'zod'],
      ['guest/agent/c.ts', 'qjs:os'],
      ['guest/agent/d.ts', '../../src/core/x.ts'],
      ['guest/agent/e.ts', '../../src/contracts/name.ts'],
      ['guest/agent/proc/f.ts', '../../../src/contracts/agent-messages.ts'],
      ['guest/agent/quickjs-sys.ts', 'node:fs'],
    ] as const
  ).map(([file, specifier]) => ({
    rule: RESTRICTED,
    file,
    source: `import * as x from '${specifier}';\nexport const y = x;\n`,
  })),
  { rule: 'node(no-process-env)', file: 'src/daemon/env.ts', source: "export const x = process.env['X'];\n" },
  {
    rule: 'typescript(no-floating-promises)',
    file: 'src/core/floating.ts',
    source: 'async function f(): Promise<void> {}\nexport function g(): void {\n  f();\n}\n',
  },
  {
    rule: 'typescript(no-misused-promises)',
    file: 'src/core/misused.ts',
    source: 'export function g(f: () => Promise<void>): void {\n  [1].forEach(async () => f());\n}\n',
  },
  {
    rule: 'typescript(switch-exhaustiveness-check)',
    file: 'src/core/switch.ts',
    source: "export function g(k: 'a' | 'b'): void {\n  switch (k) {\n    case 'a':\n      break;\n  }\n}\n",
  },
  {
    rule: 'typescript(only-throw-error)',
    file: 'src/core/throw.ts',
    source: "export function g(): never {\n  throw 'x';\n}\n",
  },
  {
    rule: 'typescript(no-explicit-any)',
    file: 'src/core/any.ts',
    source: 'export function g(x: any): unknown {\n  return x;\n}\n',
  },
  {
    rule: 'typescript(ban-ts-comment)',
    file: 'src/core/ignore.ts',
    source: '// @ts-ignore\nexport const x: string = 3;\n',
  },
  {
    rule: 'typescript(no-extraneous-class)',
    file: 'src/core/static.ts',
    source: 'export class A {\n  static f(): void {}\n}\n',
  },
  {
    rule: 'eslint(no-empty)',
    file: 'src/core/swallow.ts',
    source: 'export function g(f: () => void): void {\n  try {\n    f();\n  } catch {}\n}\n',
  },
  {
    rule: 'eslint(no-warning-comments)',
    file: 'src/core/todo.ts',
    source: '// TODO: later\nexport const x = 1;\n',
  },
  {
    rule: 'eslint(max-lines)',
    file: 'src/core/long.ts',
    source: Array.from({ length: 401 }, (_, index) => `export const x${index} = ${index};\n`).join(''),
  },
  { rule: 'unicorn(filename-case)', file: 'src/core/BadName.ts', source: 'export const x = 1;\n' },
  { rule: 'import(no-default-export)', file: 'src/core/default.ts', source: 'export default 1;\n' },
  { rule: 'oxc(no-barrel-file)', file: 'src/core/barrel.ts', source: "export * from './cycle-a.ts';\n" },
  {
    rule: 'import(no-cycle)',
    file: 'src/core/cycle-a.ts',
    source: "import { b } from './cycle-b.ts';\nexport const a = (): unknown => b;\n",
  },
  {
    rule: 'import(no-cycle)',
    file: 'src/core/cycle-b.ts',
    source: "import { a } from './cycle-a.ts';\nexport const b = (): unknown => a;\n",
  },
  {
    rule: 'vitest(no-focused-tests)',
    file: 'test/focused.test.ts',
    source: "import { test } from 'vitest';\ntest.only('x', () => {});\n",
  },
  {
    rule: 'vitest(no-disabled-tests)',
    file: 'test/disabled.test.ts',
    source: "import { test } from 'vitest';\ntest.skip('x', () => {});\n",
  },
];

/** What must pass beside them: the doors themselves. */
const ALLOWED: readonly Omit<Planted, 'rule'>[] = [
  { file: 'src/host/process.ts', source: "import { spawn } from 'node:child_process';\nexport const start = spawn;\n" },
  {
    file: 'src/adapters/store/database.ts',
    source: "import { DatabaseSync } from 'node:sqlite';\nexport const Connection = DatabaseSync;\n",
  },
  {
    file: 'guest/agent/main.ts',
    source:
      "import { now } from 'qjs:os';\nimport { LIMIT } from '../../src/contracts/agent.ts';\n" +
      "import type { Stats } from '../../src/contracts/agent-messages.ts';\n" +
      'export const stats: Stats = { at: now(), limit: LIMIT };\n',
  },
  {
    file: 'guest/agent/quickjs.d.ts',
    source: "declare module 'qjs:os' {\n  export function now(): number;\n}\n",
  },
  { file: 'src/contracts/agent.ts', source: 'export const LIMIT = 1;\n' },
  {
    file: 'src/contracts/agent-messages.ts',
    source: 'export interface Stats {\n  readonly at: number;\n  readonly limit: number;\n}\n',
  },
];

test('the linter finds every planted violation, by its rule', async () => {
  const root = await makeTempDir();
  await mkdir(join(root, 'guest/agent'), { recursive: true });
  for (const name of ['.oxlintrc.json', 'tsconfig.json', 'guest/agent/tsconfig.json']) {
    await copyFile(join(REPOSITORY_ROOT, name), join(root, name));
  }
  await symlink(join(REPOSITORY_ROOT, 'node_modules'), join(root, 'node_modules'));
  for (const { file, source } of [...PLANTED, ...ALLOWED]) {
    await mkdir(dirname(join(root, file)), { recursive: true });
    await writeFile(join(root, file), source);
  }
  const oxlint = join(REPOSITORY_ROOT, 'node_modules/.bin/oxlint');
  const { stdout } = await run([oxlint, '--format', 'json', '.'], { cwd: root, okStatuses: [1], timeoutMs: 60_000 });
  const { diagnostics } = JSON.parse(stdout) as { diagnostics: { code: string; filename: string }[] };
  const found = new Set(diagnostics.map(({ code, filename }) => `${filename}: ${code}`));
  expect(PLANTED.map(({ file, rule }) => `${file}: ${rule}`).filter((line) => !found.has(line))).toEqual([]);
  const doors = ALLOWED.map(({ file }) => file);
  expect([...found].filter((line) => doors.some((file) => line.startsWith(file)))).toEqual([]);
});
