import { expect, test } from 'vitest';
import { parseFrame } from '../../../../src/adapters/agent/frame-json.ts';
import { MAX_FRAME_BYTES, MAX_LISTED_PORTS } from '../../../../src/contracts/agent.ts';

const nested = (depth: number): string => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;

test.each([
  ['{}', {}],
  [' {"type":"event","list":[1,null,"ä"]}\r', { type: 'event', list: [1, null, 'ä'] }],
  ['{"a":1,"a":2}', { a: 2 }],
  ['{"constructor":1}', { constructor: 1 }],
  ['{"n":1e400}', { n: Infinity }],
])('%j', (line, value) => {
  expect(parseFrame(Buffer.from(line))).toEqual(value);
});

test.each([
  '',
  ' ',
  'x',
  'null',
  'true',
  '7',
  '"text"',
  '[]',
  '[{}]',
  '{',
  '{}{}',
  "{'a':1}",
  '{"a":NaN}',
  '{"__proto__":{}}',
  '{"__proto__":1}',
  '{"\\u005f_proto__":{"isAdmin":true}}',
  '{"a":[{"b":{"__proto__":null}}]}',
])('%j is no frame', (line) => {
  expect(parseFrame(Buffer.from(line))).toBeUndefined();
});

test('bytes that are no UTF-8 are no frame', () => {
  expect(parseFrame(Buffer.from('{"a":"ä"}'))).toEqual({ a: 'ä' });
  expect(parseFrame(Buffer.from('{"a":"ä"}', 'latin1'))).toBeUndefined();
});

test('nesting has a bound', () => {
  expect(parseFrame(Buffer.from(nested(16)))).toBeDefined();
  expect(parseFrame(Buffer.from(nested(17)))).toBeUndefined();
  const levels = MAX_FRAME_BYTES / 6 - 10;
  for (const text of [nested(levels), `{"a":${'['.repeat(levels)}${']'.repeat(levels)}}`]) {
    expect(parseFrame(Buffer.from(text))).toBeUndefined();
    expect(parseFrame(Buffer.from(text.slice(0, levels)))).toBeUndefined();
  }
});

test('the number of values has a bound, far above the largest message', () => {
  const port = { protocol: 'tcp', address: '::', port: 1, process: 'a', pid: 1, later: [1, 2] };
  const ports = { listening: Array.from({ length: MAX_LISTED_PORTS }, () => port), truncated: true };
  expect(parseFrame(Buffer.from(JSON.stringify({ type: 'event', event: 'ports', ports })))).toMatchObject({ ports });
  const many = (count: number): Buffer => Buffer.from(JSON.stringify({ list: Array.from({ length: count }, () => 0) }));
  expect(parseFrame(many(4094))).toBeDefined();
  expect(parseFrame(many(4095))).toBeUndefined();
  expect(parseFrame(many(30_000))).toBeUndefined();
});
