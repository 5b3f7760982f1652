import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  AGENT_ERROR_CODES,
  AGENT_PROTOCOL,
  AGENT_STAGES,
  MAX_FRAME_BYTES,
  MAX_LISTED_PORTS,
  OLDEST_AGENT_PROTOCOL,
} from '../../../src/contracts/agent.ts';
import { AGENT_METHODS, agentMessageSchema, hostMessageSchema } from '../../../src/contracts/agent-messages.ts';
import { agentFixturePath, readAgentFixture } from '../../support/agent-fixture.ts';

type Schema = z.core.JSONSchema.BaseSchema;

const METHODS = Object.entries(AGENT_METHODS);
const GENERATIONS = Array.from(
  { length: AGENT_PROTOCOL - OLDEST_AGENT_PROTOCOL + 1 },
  (_, index) => OLDEST_AGENT_PROTOCOL + index,
);

/** As the sender sees it: fields that are not known are allowed. */
function jsonSchemaOf(schema: z.ZodType): Schema {
  return z.toJSONSchema(schema, {
    io: 'input',
    // The pattern behind a format is the library's affair, and changes with its versions.
    override: ({ jsonSchema }) => void (jsonSchema.format && delete jsonSchema.pattern),
  });
}

const CURRENT = {
  generation: AGENT_PROTOCOL,
  host: jsonSchemaOf(hostMessageSchema),
  agent: jsonSchemaOf(agentMessageSchema),
  methods: Object.fromEntries(
    METHODS.map(([name, { params, result }]) => [name, { params: jsonSchemaOf(params), result: jsonSchemaOf(result) }]),
  ),
};

describe.each(GENERATIONS)('generation %i, as it was released', (generation) => {
  const fixture = readAgentFixture(generation);

  test('is what its file says', () => {
    expect(fixture.generation).toBe(generation);
  });

  test.each(fixture.host.map((message) => [JSON.stringify(message), message]))('host %s', (_, message) => {
    expect(hostMessageSchema.parse(message)).toEqual(message);
    if (message['type'] !== 'request') return;
    const method = METHODS.find(([name]) => name === message['method'])?.[1];
    expect(method?.params.parse(message['params'])).toEqual(message['params']);
  });

  test.each(fixture.agent.map((message) => [JSON.stringify(message), message]))('agent %s', (_, message) => {
    expect(agentMessageSchema.parse(message)).toEqual(message);
  });

  test.each(METHODS)('result of %s', (name, { result }) => {
    const samples = fixture.results[name as keyof typeof AGENT_METHODS];
    expect(samples.length).toBeGreaterThan(0);
    for (const sample of samples) expect(result.parse(sample)).toEqual(sample);
  });

  test('no message does without one of its fields', () => {
    const tolerated = fixture.agent.flatMap((message) =>
      Object.keys(message)
        .map((field) => Object.fromEntries(Object.entries(message).filter(([name]) => name !== field)))
        .filter((rest) => agentMessageSchema.safeParse(rest).success),
    );
    expect(tolerated).toEqual([]);
  });
});

describe('the samples of the newest generation', () => {
  const { host, agent, results } = readAgentFixture(AGENT_PROTOCOL);
  const seen = (values: readonly unknown[]): unknown[] => [...new Set(values)].filter((value) => value !== undefined);

  test('have every kind of message, event, stage, error and method', () => {
    expect(seen(host.map(({ type }) => type))).toEqual(['hello', 'request']);
    expect(seen(host.map(({ method }) => method))).toEqual(Object.keys(AGENT_METHODS));
    expect(Object.keys(results)).toEqual(Object.keys(AGENT_METHODS));
    expect(seen(agent.map(({ type }) => type))).toEqual(['welcome', 'refused', 'event', 'reply', 'error']);
    expect(seen(agent.map(({ event }) => event))).toEqual(['stage', 'ready', 'ports']);
    expect(seen(agent.map(({ stage }) => stage))).toEqual(AGENT_STAGES);
    expect(seen(agent.map(({ code }) => code))).toEqual(AGENT_ERROR_CODES);
  });

  test('have every field, and leave out each that may be left out', () => {
    const complaints = [
      ...uncovered(CURRENT.agent, agent, 'agent'),
      ...uncovered(CURRENT.host, host, 'host'),
      ...METHODS.flatMap(([name, { params, result }]) => [
        ...uncovered(jsonSchemaOf(result), results[name as keyof typeof AGENT_METHODS], `${name}.result`),
        ...uncovered(
          jsonSchemaOf(params),
          host.filter(({ method }) => method === name).map((message) => message['params']),
          `${name}.params`,
        ),
      ]),
    ];
    expect(complaints).toEqual([]);
  });
});

test('the schemas are those that were frozen', async () => {
  // Where this fails, a released generation has changed: an older agent may no longer be understood. A change that is
  // meant goes into a new generation; before the first release, `vitest -u` writes the file anew.
  await expect(`${JSON.stringify(CURRENT, undefined, 2)}\n`).toMatchFileSnapshot(
    agentFixturePath(`generation-${AGENT_PROTOCOL}.schema.json`),
  );
});

describe('what a guest sends', () => {
  test('has a bound in every text, list and number', () => {
    const found: string[] = [];
    const results = Object.entries(CURRENT.methods).map(([name, { result }]) => [name, result] as const);
    for (const [name, schema] of [['agent', CURRENT.agent] as const, ...results]) {
      for (const { path, schema: part } of everySchema(schema, name)) {
        if (part.type === 'string' && !isBoundedText(part)) found.push(path);
        if (part.type === 'array' && part.maxItems === undefined && part.prefixItems === undefined) found.push(path);
        if (part.type === 'integer' && part.maximum === undefined) found.push(path);
      }
    }
    expect(found).toEqual([]);
  });

  test('fits a frame where it is as large as it may be, its texts in plain letters', () => {
    const entry = { protocol: 'tcp', address: 'fe80::1234:5678:9abc:def0', port: 65535, process: 'a'.repeat(64) };
    const listening = Array.from({ length: MAX_LISTED_PORTS }, () => ({ ...entry, pid: 4_194_304 }));
    const event = { type: 'event', event: 'ports', ports: { listening, truncated: true } };
    expect(agentMessageSchema.parse(event)).toEqual(event);
    expect(JSON.stringify(event).length).toBeLessThan(MAX_FRAME_BYTES);
    const more = { ...event, ports: { listening: [...listening, entry], truncated: true } };
    expect(agentMessageSchema.safeParse(more).success).toBe(false);
  });

  test('may have fields that are not known: they are left out', () => {
    const event = { type: 'event', event: 'stage', stage: 'ssh', sinceBootMs: 1 };
    expect(agentMessageSchema.parse({ ...event, unit: 'ssh.service' })).toEqual(event);
  });

  test.each([Infinity, Number.MAX_SAFE_INTEGER + 1, -1, 1.5, '1', null, undefined, [1]])(
    'no duration is %j',
    (tookMs) => {
      expect(AGENT_METHODS.sync.result.safeParse({ tookMs }).success).toBe(false);
    },
  );

  test.each(['fe80::1%eth0', '1.2.3', '::1\n', 'localhost', ''])('no address is %j', (address) => {
    const port = { protocol: 'tcp', address, port: 1 };
    expect(AGENT_METHODS.ports.result.safeParse({ listening: [port], truncated: false }).success).toBe(false);
  });
});

/** Fields of a schema that no sample has, and optional ones that every sample has. */
function uncovered(schema: Schema, samples: readonly unknown[], path: string): string[] {
  const variants: readonly Schema[] = schema.oneOf ?? [];
  if (variants.length > 0) {
    return variants.flatMap((variant) => {
      const fixed = Object.entries(variant.properties ?? {}).flatMap(([name, value]) => {
        const wanted = typeof value === 'object' ? value.const : undefined;
        return wanted === undefined ? [] : [[name, wanted] as const];
      });
      const own = samples.filter((sample) => fixed.every(([name, value]) => fieldOf(sample, name) === value));
      const label = fixed.map(([, value]) => String(value)).join('.');
      return uncovered(variant, own, label === '' ? path : `${path}.${label}`);
    });
  }
  if (schema.type === 'array') {
    return uncovered((schema.items ?? {}) as Schema, samples.flat(), `${path}[]`);
  }
  return Object.entries(schema.properties ?? {}).flatMap(([name, part]) => {
    const values = samples.map((sample) => fieldOf(sample, name)).filter((value) => value !== undefined);
    const place = `${path}.${name}`;
    const complaints = uncovered(part as Schema, values, place);
    if (values.length === 0) complaints.push(`${place} is in no sample`);
    const isOptional = !schema.required?.includes(name);
    if (isOptional && values.length === samples.length) complaints.push(`${place} is in every sample`);
    return complaints;
  });
}

function fieldOf(sample: unknown, name: string): unknown {
  return (sample as Readonly<Record<string, unknown>>)[name];
}

function* everySchema(schema: Schema, path: string): Generator<{ readonly path: string; readonly schema: Schema }> {
  yield { path, schema };
  const inner: readonly (readonly [string, unknown])[] = [
    ...Object.entries(schema.properties ?? {}),
    ...[...(schema.oneOf ?? []), ...(schema.anyOf ?? []), ...(schema.prefixItems ?? [])].map(
      (part, index) => [String(index), part] as const,
    ),
    ...(schema.items === undefined ? [] : [['[]', schema.items] as const]),
  ];
  for (const [name, part] of inner) if (typeof part === 'object') yield* everySchema(part as Schema, `${path}.${name}`);
}

function isBoundedText(schema: Schema): boolean {
  const isFormat = schema.format === 'ipv4' || schema.format === 'ipv6';
  // The patterns of the protocol are anchored, and repeat nothing without a limit.
  const isPattern = schema.pattern !== undefined && /^\^[^*+]*\$$/.test(schema.pattern);
  return (
    isFormat || isPattern || schema.maxLength !== undefined || schema.enum !== undefined || schema.const !== undefined
  );
}
