import fc from 'fast-check';
import { parse, stringify } from 'smol-toml';
import { describe, expect, test } from 'vitest';
import { locateInToml, type TomlPath } from '../../../src/daemon/toml-locator.ts';

/** The place as `line:column`, and the text that stands there. */
function placeIn(text: string, path: TomlPath): string | undefined {
  const place = locateInToml(text, path);
  return place && `${place.line}:${place.column}`;
}

describe('keys', () => {
  test.each<[string, TomlPath, string | undefined]>([
    ['a = 1', ['a'], '1:1'],
    ['  a=1', ['a'], '1:3'],
    ['# a = 0\n\na = 1', ['a'], '3:1'],
    ['a = 1\r\nb = 2', ['b'], '2:1'],
    ['[t]\na = 1', ['t', 'a'], '2:1'],
    ['[t]\na = 1', ['t'], '1:2'],
    ['[t]\na = 1', ['a'], undefined],
    ['a.b.c = 1\na.b.d = 2', ['a', 'b', 'd'], '2:5'],
    ['a . b = 1', ['a', 'b'], '1:5'],
    ['[ a . b ] # why\nc = 1', ['a', 'b', 'c'], '2:1'],
    ['[a]\nx = 1\n[a.b]\nx = 2', ['a', 'b', 'x'], '4:1'],
    ['"a.b" = 1', ['a.b'], '1:1'],
    ['\'a b\'."\\u00e9" = 1', ['a b', 'é'], '1:7'],
    ['"" = 1', [''], '1:1'],
    ['1979 = 1', ['1979'], '1:1'],
    ['ä = 1', ['nothing'], undefined],
  ])('of %j: %j is at %s', (text, path, place) => {
    expect(placeIn(text, path)).toBe(place);
  });

  test.each([
    ['a basic string', '"b = 1 # \\" \\\\"'],
    ['a literal string', "'b = 1 # \" \\'"],
    ['a long string', '"""\nb = 1\n"quoted" \\""" \n"""'],
    ['a long string that ends with quotes of its own', '"""x"""""'],
    ['a long literal string', "'''\nb = 1 '' \\'''"],
    ['a list', '[\n  "b = 1", # b = 2\n  [1, 2],\n]'],
    ['an inline table', '{ b = 1, c = "}" }'],
    ['a date', '1979-05-27 07:32:00Z'],
    ['a number', '1_000.5e-3 # b = 1'],
    ['a truth', 'true'],
  ])('after %s are found where they are', (_, value) => {
    const text = `a = ${value}\nb = 1`;
    // The text is what it pretends to be.
    expect(parse(text)).toMatchObject({ b: 1 });
    expect(placeIn(text, ['b'])).toBe(`${text.split('\n').length}:1`);
  });
});

describe('elements', () => {
  const text = ['a = [', '  "x", # first', '  "y",', ']', '[[t]]', 'k = 1', '[[t]]', 'k = 2', '[t.u]', 'v = 3'].join(
    '\n',
  );

  test.each<[TomlPath, string]>([
    [['a', 1], '3:3'],
    [['a'], '1:1'],
    [['t', 0, 'k'], '6:1'],
    [['t', 1, 'k'], '8:1'],
    [['t', 1, 'u', 'v'], '10:1'],
  ])('%j', (path, place) => {
    expect(placeIn(text, path)).toBe(place);
  });

  test('of inline tables and lists within each other', () => {
    const nested = 'a = [ { x = [1, { y = 2 }] }, { x = 3 } ]';
    expect(placeIn(nested, ['a', 0, 'x', 1, 'y'])).toBe('1:19');
    expect(placeIn(nested, ['a', 1, 'x'])).toBe('1:33');
  });
});

test('what the text does not have is placed at the nearest thing above it', () => {
  expect(placeIn('x = 1\n[sources.tpm]\nurl = "u"', ['sources', 'tpm', 'commit'])).toBe('2:10');
  expect(placeIn('x = 1', ['y', 'z'])).toBeUndefined();
});

test('any text ends the walk, TOML or not', () => {
  const scraps = fc.array(
    fc.constantFrom(
      '[',
      ']',
      '[[',
      '{',
      '}',
      '=',
      '.',
      ',',
      '"',
      "'",
      '"""',
      "'''",
      '\\',
      '#',
      '\n',
      ' ',
      'a',
      'b',
      '1',
      '\0',
    ),
    { maxLength: 40 },
  );
  fc.assert(
    fc.property(scraps, (pieces) => {
      locateInToml(pieces.join(''), ['a', 'b']);
    }),
    { numRuns: 3000 },
  );
});

test('every key of any document is found, on the very line that has it', () => {
  const key = fc.string({ minLength: 1, maxLength: 6 });
  const scalar = fc.oneof(fc.integer(), fc.boolean(), fc.string({ maxLength: 12 }));
  const value = fc.oneof(scalar, fc.array(scalar, { maxLength: 3 }), fc.dictionary(key, scalar, { maxKeys: 3 }));
  fc.assert(
    fc.property(fc.dictionary(key, value, { minKeys: 1, maxKeys: 5 }), (content) => {
      const text = stringify(content);
      const lines = text.split('\n');
      for (const [name, inner] of Object.entries(content)) {
        const place = locateInToml(text, [name]);
        const isTable = typeof inner === 'object' && !Array.isArray(inner);
        const line = lines[(place?.line ?? 0) - 1] ?? '';
        const rest = line.slice((place?.column ?? 0) - 1);
        const written = /^[A-Za-z0-9_-]+$/.test(name) ? name : JSON.stringify(name);
        if (!/[^\u0020-\u007e]/.test(name)) expect(rest.startsWith(`${written}${isTable ? ']' : ' = '}`)).toBe(true);
        else expect(place).toBeDefined();
      }
    }),
    { numRuns: 500 },
  );
});
