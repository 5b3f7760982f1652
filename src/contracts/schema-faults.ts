/** What does not fit a schema, in banger's own words: they name what was given and what is expected. */
import { z } from 'zod';
import { nearestWord } from './nearest-word.ts';
import { exactSize } from './size.ts';

export interface SchemaFault {
  readonly path: readonly (string | number)[];
  readonly message: string;
  /** The path names a key that the schema does not have. */
  readonly isUnknownKey?: true;
}

type Read<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly faults: readonly [SchemaFault, ...SchemaFault[]] };

/** What a value with keys is called where the reader wrote it: JSON or TOML. */
type ObjectWord = 'an object' | 'a table';

/** @returns the parsed value, defaults filled in; or every fault. */
export function readBySchema<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  objectWord: ObjectWord = 'an object',
): Read<z.output<Schema>> {
  // A schema's own words ("give an absolute path") come before these; empty ones mark where it has none.
  const parsed = schema.safeParse(value, { error: () => '' });
  if (parsed.success) return { ok: true, value: parsed.data };
  const [first, ...others] = parsed.error.issues
    .filter((issue, index, all) => !isToldAgain(issue, all.slice(index + 1)))
    .flatMap((issue) => faultsOf(issue, { schema, value, objectWord }));
  return { ok: false, faults: [first ?? { path: [], message: FITS_NOT }, ...others] };
}

const FITS_NOT = 'not what is expected here';

/** A number beyond what a double counts exactly is told twice where there is a bound: the bound says more. */
function isToldAgain(issue: z.core.$ZodIssue, later: readonly z.core.$ZodIssue[]): boolean {
  const isBeyondCounting = (issue.code === 'too_big' || issue.code === 'too_small') && issue.origin === 'int';
  return (
    isBeyondCounting && later.some(({ code, path }) => code === issue.code && path.join('.') === issue.path.join('.'))
  );
}

interface Context {
  readonly schema: z.ZodType;
  readonly value: unknown;
  readonly objectWord: ObjectWord;
}

function faultsOf(issue: z.core.$ZodIssue, { schema, value, objectWord }: Context): readonly SchemaFault[] {
  const path = issue.path.map((key) => (typeof key === 'symbol' ? String(key) : key));
  if (issue.code !== 'unrecognized_keys') return [{ path, message: explain(issue, at(value, path), objectWord) }];
  const known = keysAt(schema, path);
  return issue.keys.map((key) => ({ path: [...path, key], message: unknownKey(key, known), isUnknownKey: true }));
}

function unknownKey(key: string, known: readonly string[]): string {
  if (known.length === 0) return 'there is no such key; none is taken here';
  const nearest = nearestWord(key, known);
  const advice = nearest === undefined ? `known keys: ${known.join(', ')}` : `did you mean "${nearest}"?`;
  return `there is no such key; ${advice}`;
}

type Issue = Exclude<z.core.$ZodIssue, z.core.$ZodIssueUnrecognizedKeys>;

function explain(issue: Issue, given: unknown, objectWord: ObjectWord): string {
  const shown = show(given, objectWord);
  if (issue.message !== '') return given === undefined ? `missing, ${issue.message}` : `${shown}: ${issue.message}`;
  switch (issue.code) {
    case 'invalid_type': {
      const expected = `${typeWord(issue.expected, objectWord)} is expected`;
      return given === undefined ? `missing, ${expected}` : `${shown} is given, ${expected}`;
    }
    case 'invalid_value': {
      const known = issue.values.map(String);
      const choice = known.length === 1 ? `${known[0]}` : `one of ${known.join(', ')}`;
      if (given === undefined) return `missing, give ${choice}`;
      if (known.length === 1) return `${shown} is given, ${choice} is expected`;
      const nearest = typeof given === 'string' ? nearestWord(given, known) : undefined;
      return `${shown} is not ${choice}${nearest === undefined ? '' : `; did you mean "${nearest}"?`}`;
    }
    case 'too_small':
      return beyond(issue, given, issue.minimum, {
        number: 'too small',
        count: 'too few',
        most: 'least',
        than: 'more',
      });
    case 'too_big':
      return beyond(issue, given, issue.maximum, {
        number: 'too large',
        count: 'too many',
        most: 'most',
        than: 'less',
      });
    case 'not_multiple_of':
      return `${shown} is not a multiple of ${issue.divisor}`;
    case 'invalid_format':
    case 'invalid_union':
    case 'invalid_key':
    case 'invalid_element':
    case 'custom':
      return given === undefined ? 'missing' : `${shown}: ${FITS_NOT}`;
  }
}

function beyond(
  issue: z.core.$ZodIssueTooBig | z.core.$ZodIssueTooSmall,
  given: unknown,
  limit: number | bigint,
  words: { readonly number: string; readonly count: string; readonly most: string; readonly than: string },
): string {
  const withUnit = unitOf(issue.path.at(-1));
  const bound = issue.inclusive === false ? `it must be ${words.than} than` : `the ${words.most} is`;
  if (typeof given === 'string' && issue.origin === 'string') {
    return `${given.length} characters are ${words.count}, ${bound} ${limit}`;
  }
  if (Array.isArray(given)) return `${given.length} entries are ${words.count}, ${bound} ${limit}`;
  const shown = typeof given === 'number' ? withUnit(given) : show(given, 'an object');
  return `${shown} is ${words.number}, ${bound} ${withUnit(Number(limit))}`;
}

/** How a number of this key is written: the key's name holds its unit. */
function unitOf(key: PropertyKey | undefined): (value: number) => string {
  const name = String(key);
  // Exactly: a byte too few must not be told as the bound itself.
  if (name.endsWith('Bytes')) return exactSize;
  return name.endsWith('Ms') ? (value) => `${value} ms` : String;
}

const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
};

function typeWord(expected: string, objectWord: ObjectWord): string {
  return TYPE_WORDS[expected] ?? (expected === 'object' || expected === 'record' ? objectWord : expected);
}

/** What was given, short enough for a message. JSON's own quoting keeps control characters visible. */
function show(given: unknown, objectWord: ObjectWord): string {
  if (typeof given === 'string') return JSON.stringify(given.length > 80 ? `${given.slice(0, 77)}...` : given);
  if (Array.isArray(given)) return 'a list';
  if (given instanceof Date) return 'a date';
  return typeof given === 'object' && given !== null ? objectWord : String(given);
}

function at(value: unknown, path: readonly PropertyKey[]): unknown {
  let found = value;
  for (const key of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return undefined;
    found = Reflect.get(found, key);
  }
  return found;
}

/** Keys that the schema knows at a path. */
function keysAt(schema: z.core.$ZodType, path: readonly (string | number)[]): readonly string[] {
  const inner = unwrap(schema);
  const [key, ...rest] = path;
  if (key === undefined) return inner instanceof z.ZodObject ? Object.keys(inner.shape) : [];
  if (inner instanceof z.ZodArray) return keysAt(inner.element, rest);
  const next: unknown = inner instanceof z.ZodObject ? inner.shape[key] : undefined;
  return next instanceof z.ZodType ? keysAt(next, rest) : [];
}

function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) {
    return unwrap(schema.unwrap());
  }
  return schema;
}
