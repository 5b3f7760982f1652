import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AGENT_METHODS, hostMessageSchema } from '../../../../src/contracts/agent-messages.ts';
import { parseHostMessage } from '../../../../guest/agent/host-message.ts';
import { BadParams, PARAMS } from '../../../../guest/agent/params.ts';
import fixture from '../../../fixtures/agent/generation-1.json' with { type: 'json' };

const SESSION = '4f1c2a9be07d5836';
const methodNames = Object.keys(AGENT_METHODS) as (keyof typeof AGENT_METHODS)[];

describe('messages', () => {
  test.each(fixture.host.map((message) => [JSON.stringify(message), message]))('%s is taken', (text, message) => {
    expect(parseHostMessage(text)).toEqual(message);
  });

  test.each([
    '',
    'null',
    '[]',
    '"hello"',
    '{',
    '{"type":"hello"}',
    `{"type":"hello","session":"short","oldest":1,"newest":1}`,
    `{"type":"hello","session":"${SESSION}","oldest":0,"newest":1}`,
    `{"type":"hello","session":"${SESSION}","oldest":1,"newest":"1"}`,
    '{"type":"request","id":0,"method":"health","params":{}}',
    '{"type":"request","id":1.5,"method":"health","params":{}}',
    '{"type":"request","id":4294967296,"method":"health","params":{}}',
    '{"type":"request","id":"1","method":"health","params":{}}',
    '{"type":"reply","id":1,"result":{}}',
    '{"__proto__":{"type":"hello"}}',
    `${'['.repeat(30_000)}${']'.repeat(30_000)}`,
  ])('%.60s is none', (text) => {
    expect(parseHostMessage(text)).toBeUndefined();
  });

  test.each([
    ['{"type":"request","id":7}', { method: '', params: undefined }],
    ['{"type":"request","id":7,"method":3,"params":[]}', { method: '', params: undefined }],
    ['{"type":"request","id":7,"method":"health","params":null}', { method: 'health', params: undefined }],
  ])('%s can be answered, if only by an error', (text, expected) => {
    expect(parseHostMessage(text)).toMatchObject({ type: 'request', id: 7, ...expected });
  });

  test('what the schema takes, the agent takes', () => {
    const value = fc.oneof(fc.jsonValue(), fc.integer(), fc.constantFrom(SESSION, ...methodNames, 1, 2, {}));
    const message = fc.record(
      {
        type: fc.constantFrom('hello', 'request', 'event'),
        session: value,
        oldest: value,
        newest: value,
        id: value,
        method: value,
        params: value,
      },
      { requiredKeys: ['type'] },
    );
    fc.assert(
      fc.property(message, (candidate) => {
        const text = JSON.stringify(candidate);
        const wanted = hostMessageSchema.safeParse(JSON.parse(text));
        if (wanted.success) expect(parseHostMessage(text)).toEqual(wanted.data);
      }),
      { numRuns: 2_000 },
    );
  });
});

/** Values near the borders of what each parameter may be. */
const CANDIDATES: Readonly<Record<string, readonly unknown[]>> = {
  enabled: [true, false, 1, 'true', null, undefined],
  epochMs: [0, 1, -1, 1.5, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER + 1, '1', null, undefined],
  hostname: ['a', 'calm-otter', 'a'.repeat(63), 'a'.repeat(64), '-a', 'a-', 'A', 'a_b', 'a.b', 'a\n', '', 3, undefined],
  address: ['10.77.0.9', '10.77.0', '10.77.0.256', '10.77.0.09', '::1', '', 'x', 7, undefined],
  prefixLength: [1, 20, 30, 31, 0, 20.5, '20', undefined],
  gateway: ['10.77.0.10', '10.77.0.1/20', 'gateway', undefined],
  nameServers: [
    [],
    ['1.1.1.1'],
    ['1.1.1.1', '8.8.8.8', '9.9.9.9'],
    Array(4).fill('1.1.1.1'),
    ['::1'],
    'x',
    {},
    undefined,
  ],
};

describe('parameters', () => {
  test.each(methodNames)('of %s: the agent takes what the schema takes, and nothing else', (method) => {
    const candidates = fc.record(
      Object.fromEntries(Object.entries(CANDIDATES).map(([name, values]) => [name, fc.constantFrom(...values)])),
    );
    let taken = 0;
    fc.assert(
      fc.property(candidates, (params) => {
        const wanted = AGENT_METHODS[method].params.safeParse(params);
        if (wanted.success) taken += 1;
        expect(taking(method, params)).toEqual(wanted.data);
      }),
      { numRuns: 3_000 },
    );
    expect(taken).toBeGreaterThan(0);
  });

  test.each([
    { gateway: '10.78.0.1', why: 'in another network' },
    { gateway: '10.77.0.9', why: 'the address itself' },
  ])('a gateway that is $why would cut the guest off', ({ gateway }) => {
    const params = { address: '10.77.0.9', prefixLength: 20, gateway, nameServers: [] };
    expect(() => PARAMS.setAddress(params)).toThrow(BadParams);
  });
});

function taking(method: keyof typeof PARAMS, params: Record<string, unknown>): unknown {
  try {
    return PARAMS[method](params);
  } catch (error) {
    if (error instanceof BadParams) return undefined;
    throw error;
  }
}
