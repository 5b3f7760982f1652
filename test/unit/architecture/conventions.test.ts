import { describe, expect, test } from 'vitest';
import { blankOut } from '../../support/source-scanner.ts';
import { readSourceTree } from '../../support/source-tree.ts';

interface Convention {
  readonly what: string;
  /** What must not stand in the code; comments and strings are blanked out first. */
  readonly pattern: RegExp;
  readonly appliesTo: (path: string) => boolean;
  readonly violation: string;
  readonly allowed: string;
}

const ENVIRONMENT_READERS = new Set(['src/daemon/config.ts', 'src/daemon/main.ts', 'src/cli/main.ts']);

const CONVENTIONS: readonly Convention[] = [
  {
    what: 'core and daemon throw AppError only',
    pattern: /\bnew (?:Type|Range|Syntax)?Error\(/g,
    appliesTo: (path) => /^src\/(core|daemon)\//.test(path),
    violation: "throw new Error('x');",
    allowed: "throw new AppError('INTERNAL', 'new Error(');",
  },
  {
    what: 'the environment is read once, at the edge',
    pattern: /\bprocess\s*\.\s*env\b|\benv\b[^;]*\bfrom\s*'\s*'/g,
    appliesTo: (path) => !path.startsWith('src/host/') && !ENVIRONMENT_READERS.has(path),
    violation: "const home = process.env['HOME'];",
    allowed: '// process.env',
  },
  {
    what: 'no catch is empty',
    pattern: /\bcatch\s*(?:\(\w+\)\s*)?\{\s*\}/g,
    appliesTo: () => true,
    violation: 'try { f(); } catch (error) {\n  // never mind\n}',
    allowed: 'try { f(); } catch (error) { throw new AppError(code, { cause: error }); }',
  },
  {
    what: 'a catch that does not look at the error throws another',
    pattern: /\bcatch\s*\{(?![^}]*\bthrow\b)/g,
    appliesTo: () => true,
    violation: 'try { return f(); } catch { return undefined; }',
    allowed: 'try { f(); } catch { throw first; }',
  },
  {
    what: 'no enums, namespaces or default exports',
    pattern: /^\s*(?:export\s+)?(?:const\s+)?enum\s+\w|^\s*(?:export\s+)?namespace\s+\w|\bexport\s+default\b/gm,
    appliesTo: () => true,
    violation: 'export enum State { Running }',
    allowed: "const enumeration = { namespace: 'x' };",
  },
];

const FORBIDDEN_NAMES = /(^|[/-])(utils?|helpers?|common|misc|index)([-.]|\/|$)/;

const files = [...readSourceTree('src'), ...readSourceTree('guest/agent')].map(({ path, source }) => ({
  path,
  code: blankOut(source).code,
}));

describe.each(CONVENTIONS)('$what', ({ pattern, appliesTo, violation, allowed }) => {
  test('holds in src and in the agent', () => {
    const subject = files.filter(({ path }) => appliesTo(path));
    expect(subject.length).toBeGreaterThan(10);
    const found = subject.flatMap(({ path, code }) =>
      [...code.matchAll(pattern)].map((match) => `${path}:${code.slice(0, match.index).split('\n').length}`),
    );
    expect(found).toEqual([]);
  });

  test('a violation would be seen, and nothing else', () => {
    expect([...blankOut(violation).code.matchAll(pattern)]).toHaveLength(1);
    expect([...blankOut(allowed).code.matchAll(pattern)]).toHaveLength(0);
  });
});

describe('file names', () => {
  test('say what is inside: no util, helpers, common, misc, index', () => {
    expect(files.map(({ path }) => path).filter((path) => FORBIDDEN_NAMES.test(path))).toEqual([]);
  });

  test.each(['src/util/x.ts', 'src/core/string-utils.ts', 'src/core/index.ts', 'src/cli/helpers.ts'])(
    '%s would be refused',
    (path) => {
      expect(FORBIDDEN_NAMES.test(path)).toBe(true);
    },
  );
});
