import { describe, expect, test } from 'vitest';
import { blankOut, findImports } from '../../support/source-scanner.ts';

function specifiers(source: string): readonly string[] {
  return findImports(source).map((found) => found.specifier);
}

describe('findImports', () => {
  test.each([
    ['named', "import { a } from './a.ts';"],
    ['default', "import a from './a.ts';"],
    ['namespace', "import * as a from './a.ts';"],
    ['type only', "import type { A } from './a.ts';"],
    ['for its effect', "import './a.ts';"],
    ['double quotes', 'import { a } from "./a.ts";'],
    ['over several lines', "import {\n  a,\n  type B,\n} from './a.ts';"],
    ['dynamic', "const a = await import('./a.ts');"],
    ['required', "const a = require('./a.ts');"],
    ['re-exported', "export { a } from './a.ts';"],
    ['re-exported whole', "export * from './a.ts';"],
    ['behind a comment', "/* don't */ import { a } from './a.ts';"],
    ['behind a regular expression', "const quote = /['\"]/;\nimport { a } from './a.ts';"],
    ['behind a template', "const text = `${x ? `it's` : \"}\"} ` ;\nimport { a } from './a.ts';"],
    ['inside a template', "const text = `${await import('./a.ts')}`;"],
  ])('sees an import that is %s', (_what, source) => {
    expect(specifiers(source)).toEqual(['./a.ts']);
  });

  test.each([
    ['a line comment', "// import { a } from './a.ts';"],
    ['a block comment', "/**\n * import { a } from './a.ts';\n */"],
    ['a string', 'const text = "import { a } from \'./a.ts\'";'],
    ['a template', "const text = `import { a } from './a.ts'`;"],
    ['a word', "const from = 'x'; important('y');"],
  ])('sees none in %s', (_what, source) => {
    expect(specifiers(source)).toEqual([]);
  });

  test('tells the line, and what is handed on', () => {
    expect(findImports("\n\nimport a from 'a';\nexport { b } from 'b';")).toMatchObject([
      { specifier: 'a', line: 3, reExport: false },
      { specifier: 'b', line: 4, reExport: true },
    ]);
  });

  test.each([
    ["import type { A } from './a.ts';", true],
    ["import { type A } from './a.ts';", false],
    ["import { a } from './a.ts';", false],
    ["import './a.ts';", false],
  ])('%s is of types alone: %s', (source, typesOnly) => {
    expect(findImports(source)).toMatchObject([{ typesOnly }]);
  });
});

describe('blankOut', () => {
  test.each([
    ['a // b\nc', 'a     \nc'],
    ['a /* b\nc */ d', 'a     \n     d'],
    ["f('x')", "f(' ')"],
    ['f(`x${y}z`)', 'f(`   y  `)'],
    ['a / b / c', 'a / b / c'],
    ["return /'/.test(x)", 'return    .test(x)'],
  ])('%j becomes %j', (source, expected) => {
    expect(blankOut(source).code).toBe(expected);
  });
});
