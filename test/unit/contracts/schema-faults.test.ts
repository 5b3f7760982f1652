import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { configSchema } from '../../../src/contracts/config.ts';
import { type Route, ROUTES } from '../../../src/contracts/routes.ts';
import { readBySchema } from '../../../src/contracts/schema-faults.ts';

function told(schema: z.ZodType, value: unknown, objectWord?: 'a table'): readonly string[] {
  const read = readBySchema(schema, value, objectWord);
  if (read.ok) throw new Error('was taken');
  return read.faults.map(({ path, message }) => [...path, message].join(': '));
}

const port = z.coerce.number().int().min(1).max(65535);
const choice = z.enum(['auto', 'kvm', 'tcg']);
const thing = z.strictObject({ name: z.string(), size: z.number().optional() });

describe('every kind of fault', () => {
  test.each<[string, z.ZodType, unknown, string]>([
    ['missing text', z.strictObject({ a: z.string() }), {}, 'a: missing, text is expected'],
    ['a missing number', z.strictObject({ a: z.number() }), {}, 'a: missing, a number is expected'],
    ['a missing choice', z.strictObject({ a: choice }), {}, 'a: missing, give one of auto, kvm, tcg'],
    ['a missing list', z.strictObject({ a: z.array(z.string()) }), {}, 'a: missing, a list is expected'],
    ['a missing object', z.strictObject({ a: thing }), {}, 'a: missing, an object is expected'],
    ['missing, with words of its own', z.strictObject({ a: z.string('say who') }), {}, 'a: missing, say who'],
    ['text for a number', z.number(), 'two', '"two" is given, a number is expected'],
    ['text that is no number', port, 'ssh', '"ssh" is given, a number is expected'],
    ['no number at all', z.number(), Number.NaN, 'NaN is given, a number is expected'],
    ['half a thing', z.number().int(), 1.5, '1.5 is given, a whole number is expected'],
    ['a number for text', z.string(), 7, '7 is given, text is expected'],
    ['text for yes or no', z.boolean(), 'yes', '"yes" is given, true or false is expected'],
    ['text for a list', z.array(z.string()), 'git', '"git" is given, a list is expected'],
    ['a list for an object', thing, [], 'a list is given, an object is expected'],
    ['null for an object', thing, null, 'null is given, an object is expected'],
    ['an object for text', z.string(), {}, 'an object is given, text is expected'],
    ['a date for text', z.string(), new Date(0), 'a date is given, text is expected'],
    ['an element', z.array(z.string()), ['a', 1], '1: 1 is given, text is expected'],
    ['too small a number', z.number().min(3), 2, '2 is too small, the least is 3'],
    ['too large a number', z.number().max(3), 4, '4 is too large, the most is 3'],
    ['a number at an open bound', z.number().gt(3), 3, '3 is too small, it must be more than 3'],
    ['a number at the other', z.number().lt(3), 3, '3 is too large, it must be less than 3'],
    ['a number that came as text', port, '70000', '"70000" is too large, the most is 65535'],
    ['a number beyond counting', port, 2 ** 60, `${2 ** 60} is too large, the most is 65535`],
    [
      'one without a bound',
      z.number().int(),
      2 ** 60,
      `${2 ** 60} is too large, the most is ${Number.MAX_SAFE_INTEGER}`,
    ],
    ['text too short', z.string().min(3), 'ab', '2 characters are too few, the least is 3'],
    ['text too long', z.string().max(3), 'abcd', '4 characters are too many, the most is 3'],
    ['a list too short', z.array(z.string()).min(1), [], '0 entries are too few, the least is 1'],
    ['a list too long', z.array(z.string()).max(1), ['a', 'b'], '2 entries are too many, the most is 1'],
    [
      'a size',
      z.object({ aBytes: z.number().min(1024) }),
      { aBytes: 1023 },
      'aBytes: 1023B is too small, the least is 1K',
    ],
    ['a time', z.object({ aMs: z.number().max(10) }), { aMs: 11 }, 'aMs: 11 ms is too large, the most is 10 ms'],
    ['no multiple', z.number().multipleOf(5), 7, '7 is not a multiple of 5'],
    ['an unknown key', thing, { name: 'a', colour: 'red' }, 'colour: there is no such key; known keys: name, size'],
    ['a misspelt key', thing, { name: 'a', sise: 1 }, 'sise: there is no such key; did you mean "size"?'],
    ['a key within', z.array(thing), [{ name: 'a', nmae: 1 }], '0: nmae: there is no such key; did you mean "name"?'],
    ['a key where none is', z.strictObject({}), { a: 1 }, 'a: there is no such key; none is taken here'],
    ['no choice', choice, 'xen', '"xen" is not one of auto, kvm, tcg'],
    ['a misspelt choice', choice, 'kmv', '"kmv" is not one of auto, kvm, tcg; did you mean "kvm"?'],
    ['a number for a choice', choice, 1, '1 is not one of auto, kvm, tcg'],
    ['the only choice there is', z.literal('debian'), 'suse', '"suse" is given, debian is expected'],
    ['a pattern', z.string().regex(/^a$/, 'write an a'), 'b', '"b": write an a'],
    ['a pattern without words', z.string().regex(/^a$/), 'b', '"b": not what is expected here'],
    ['a form without words', z.ipv4(), 'b', '"b": not what is expected here'],
    ['a rule of our own', z.number().refine((n) => n === 1, 'must be one'), 2, '2: must be one'],
    ['a rule without words', z.number().refine((n) => n === 1), 2, '2: not what is expected here'],
    ['none of several forms', z.union([z.number(), z.boolean()]), 'a', '"a": not what is expected here'],
    ['a key of a map', z.record(z.string().regex(/^a$/), z.number()), { b: 1 }, 'b: 1: not what is expected here'],
    [
      'an element of a map',
      z.map(z.object(), z.number()),
      new Map([[{}, 'x']]),
      'an object: not what is expected here',
    ],
    ['long text', z.number(), 'x'.repeat(500), `"${'x'.repeat(77)}..." is given, a number is expected`],
    ['control characters', choice, '\u001b[2J', '"\\u001b[2J" is not one of auto, kvm, tcg'],
  ])('%s', (_, schema, value, words) => {
    expect(told(schema, value)).toEqual([words]);
  });

  test('in the config file an object is a table', () => {
    expect(told(z.strictObject({ a: thing }), { a: 1 }, 'a table')).toEqual(['a: 1 is given, a table is expected']);
  });

  test('several at once are all told', () => {
    expect(told(thing, { size: 'x', colour: 1, nmae: 2 })).toEqual([
      'name: missing, text is expected',
      'size: "x" is given, a number is expected',
      'colour: there is no such key; known keys: name, size',
      'nmae: there is no such key; did you mean "name"?',
    ]);
  });
});

/** What zod says by itself, and what we say where we have nothing better. */
const STOCK =
  /\b(invalid|too (big|small):|unrecognized|received|must match|expected (string|number|int|array|object))\b/i;
const NO_BETTER = /not what is expected here|missing$/;

const BAD: readonly unknown[] = [
  ...[undefined, null, true, '', ' ', 'x', '-y', '\u0000\n', 'x'.repeat(2_000_000), '../..', '256.1.1.1/40', '2025'],
  ...[0, -1, 1.5, 7, 1e300, -1e300, Number.NaN, Number.POSITIVE_INFINITY, new Date(0), 10n, Symbol('s'), () => 1],
  ...[[], {}, [null], [[]], ['-y', 3], { surprise: 1 }, Array.from({ length: 1001 }, () => 'git')],
];

/** Every value that a schema may be given wrongly: each bad one at each of its places, a surplus key in each object. */
function* badValues(schema: z.core.$ZodType): Generator {
  yield* BAD;
  if (schema instanceof z.ZodObject) {
    yield { zzzzzzzz: 1 };
    for (const [key, inner] of Object.entries(schema.shape)) {
      yield { [key.slice(1)]: 1 };
      for (const bad of badValues(inner)) yield { [key]: bad };
    }
  } else if (schema instanceof z.ZodArray) {
    for (const bad of badValues(schema.element)) yield [bad];
  } else if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) {
    yield* badValues(schema.unwrap());
  }
}

const SCHEMAS: readonly (readonly [string, z.ZodType])[] = [
  ['the config', configSchema],
  ...Object.entries<Route>(ROUTES).flatMap(([name, { params, query, body }]) =>
    Object.entries({ params, query: query?.strict(), body }).flatMap(([part, schema]) =>
      schema ? [[`${name}, ${part}`, schema] as const] : [],
    ),
  ),
];

test('the routes were walked', () => {
  expect(SCHEMAS.map(([name]) => name)).toEqual(
    expect.arrayContaining(['imageBuild, params', 'imageBuild, body', 'operationEvents, query', 'vmCreate, body']),
  );
});

test.each(SCHEMAS)('%s: whatever is wrong with it is told in our words', (_, schema) => {
  let refused = 0;
  for (const bad of badValues(schema)) {
    const read = readBySchema(schema, bad);
    if (read.ok) continue;
    refused += 1;
    for (const { path, message } of read.faults) {
      expect(message, path.join('.')).not.toMatch(STOCK);
      expect(message, path.join('.')).not.toMatch(NO_BETTER);
      expect(message.length, path.join('.')).toBeLessThan(500);
    }
  }
  expect(refused).toBeGreaterThan(BAD.length / 2);
});
