import { expect, test } from 'vitest';
import { asRecord, faultOf } from '../../../../src/adapters/firecracker/api-message.ts';

test.each([
  ['{"fault_message":"Empty PUT request."}', 'Empty PUT request.', false],
  ['{"fault_message":"two\\nlines \\u001b[31m"}', 'two lines ?[31m', false],
  // The HTTP server's own: not strict JSON where the text holds a line feed.
  ['{ "error": "Too many open connections" }', 'Too many open connections', true],
  ['{ "error": "Payload size\nlimit" }', 'Payload size limit', true],
  ['<html>', '<html>', true],
  ['{"fault_message":7}', '{"fault_message":7}', true],
  ['', 'no reason given', true],
])('%j says %j', (body, text, isOfTransport) => {
  expect(faultOf(body)).toEqual({ text, isOfTransport });
});

test('a fault is not told without end', () => {
  expect(faultOf(`{"fault_message":"${'x'.repeat(50_000)}"}`).text).toHaveLength(1_000);
});

test.each([null, undefined, 'text', 1])('%j has no fields', (value) => {
  expect(asRecord(value)).toEqual({});
});
