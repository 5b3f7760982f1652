import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ERRORS, ERROR_CODES } from '../../../src/contracts/errors.ts';
import { ROUTES, type Route } from '../../../src/contracts/routes.ts';
import { REPOSITORY_ROOT, readSourceTree } from '../../support/source-tree.ts';

const entries = Object.entries(ERRORS);

describe('the catalogue', () => {
  test.each(entries)('%s reads well', (code, { title, hint }) => {
    expect(code).toMatch(/^[A-Z]+(_[A-Z]+)*$/);
    expect(title).toMatch(/^[A-Z].*[^.!?:;, ]$/);
    expect(title.length).toBeLessThanOrEqual(100);
    expect(hint).toMatch(/^[A-Z`].*\.$/);
    expect(`${title}${hint}`).not.toMatch(/[\n\t]|  /);
  });

  test('no two codes mean the same', () => {
    expect(new Set(entries.map(([, { title }]) => title)).size).toBe(entries.length);
  });

  test('every command that a hint names exists in the command table', () => {
    const commands = readSourceTree('src/cli')
      .map((file) => file.source)
      .join('\n');
    const named = entries.flatMap(([, { hint }]) =>
      [...hint.matchAll(/`banger ([a-z]+)/g)].map((match) => match[1] ?? ''),
    );
    expect(named.length).toBeGreaterThan(5);
    expect([...new Set(named)].filter((word) => !commands.includes(`'${word}`))).toEqual([]);
  });

  test('every code stands in the reference, with its hint', () => {
    const reference = readFileSync(join(REPOSITORY_ROOT, 'docs/reference/errors.md'), 'utf8');
    const missing = entries.filter(
      ([code, { hint }]) => !reference.includes(`\n## ${code}\n`) || !reference.includes(hint),
    );
    expect(missing).toEqual([]);
  });

  test('every code is raised somewhere: a code nobody can meet is no promise', () => {
    const sources = readSourceTree('src').filter(
      ({ path }) => path !== 'src/contracts/errors.ts' && path !== 'src/contracts/routes.ts',
    );
    const unused = ERROR_CODES.filter((code) => !sources.some(({ source }) => source.includes(`'${code}'`)));
    expect(unused).toEqual([]);
  });
});

describe('routes', () => {
  test.each(Object.entries(ROUTES) as [string, Route][])('%s', (_name, route) => {
    expect(new Set(route.errors).size).toBe(route.errors.length);
    expect(route.summary).toMatch(/^[A-Z].*[^.]$/);
    const parameters = [...route.path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
    expect(Object.keys(route.params?.shape ?? {})).toEqual(parameters);
    if (route.method === 'GET') expect(route.body).toBeUndefined();
  });
});
