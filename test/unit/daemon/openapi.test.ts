import { describe, expect, test } from 'vitest';
import { ERRORS } from '../../../src/contracts/errors.ts';
import { ROUTES } from '../../../src/contracts/routes.ts';
import { openApiDocument } from '../../../src/daemon/openapi.ts';

type Node = Record<string, unknown>;

const document = JSON.parse(JSON.stringify(openApiDocument())) as {
  openapi: string;
  info: Node;
  paths: Record<string, Record<string, Node>>;
  components: { schemas: Record<string, Node> };
};

function* walk(value: unknown, path: string): Generator<{ readonly path: string; readonly node: Node }> {
  if (typeof value !== 'object' || value === null) return;
  yield { path, node: value as Node };
  for (const [key, child] of Object.entries(value)) yield* walk(child, `${path}/${key}`);
}

function resolve(ref: string): unknown {
  return ref
    .slice(2)
    .split('/')
    .reduce<unknown>((node, key) => (node as Node | undefined)?.[key], document);
}

describe('the OpenAPI document', () => {
  test('is version 3.1 and says what it describes', () => {
    expect(document).toMatchObject({ openapi: '3.1.0', info: { title: 'banger', version: expect.any(String) } });
  });

  test('has every route of the table and no other', () => {
    const described = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(
        ([method, { operationId }]) => `${String(operationId)} ${method.toUpperCase()} ${path}`,
      ),
    );
    const routes = Object.entries(ROUTES).map(([name, { method, path }]) => `${name} ${method} /v1${path}`);
    expect(described.toSorted()).toEqual(routes.toSorted());
  });

  test('refers to nothing that is not there, and has nothing that nobody refers to', () => {
    const refs = new Set<string>();
    for (const { path, node } of walk(document, '#')) {
      if (typeof node['$ref'] !== 'string') continue;
      refs.add(node['$ref']);
      expect(resolve(node['$ref']), `${node['$ref']} at ${path}`).toBeTypeOf('object');
    }
    const components = Object.keys(document.components.schemas).map((name) => `#/components/schemas/${name}`);
    expect([...refs].toSorted()).toEqual(components.toSorted());
  });

  test('its components hold no rest of another document', () => {
    for (const [name, schema] of Object.entries(document.components.schemas)) {
      expect(Object.keys(schema), name).not.toContain('$schema');
      expect(Object.keys(schema), name).not.toContain('$id');
    }
  });

  test.each(Object.entries(ROUTES))('%s: parameters, body, success and every error', (_, route) => {
    const operation = document.paths[`/v1${route.path}`]?.[route.method.toLowerCase()];
    const parameters = (operation?.['parameters'] ?? []) as { name: string; in: string; schema: Node }[];
    const inPath = parameters.filter((parameter) => parameter.in === 'path').map(({ name }) => name);
    expect(inPath).toEqual([...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name));
    for (const { name, schema } of parameters) expect(schema, name).toHaveProperty('type');
    expect('requestBody' in (operation ?? {})).toBe('body' in route);
    const responses = operation?.['responses'] as Record<string, Node>;
    const success = { sync: '200', operation: '202', events: '200', text: '200', tunnel: '101' }[route.kind];
    expect(responses).toHaveProperty(success);
    for (const code of ['REQUEST_INVALID', 'INTERNAL', ...route.errors] as const) {
      expect(responses[ERRORS[code].status]?.['description']).toContain(code);
    }
  });

  test('what clients send has its defaults optional, what they get has them always', () => {
    expect(document.components.schemas['BuildRequest']?.['required']).toEqual(['from']);
    expect(document.components.schemas['Image']?.['required']).toContain('provenance');
    expect(document.components.schemas['BuildRequest']?.['additionalProperties']).toBe(false);
  });

  test('a port is a whole number within its bounds, though it comes as text', () => {
    expect(document.paths['/v1/vms/{name}/tcp/{port}']?.['get']?.['parameters']).toContainEqual(
      expect.objectContaining({ name: 'port', schema: { type: 'integer', minimum: 1, maximum: 65535 } }),
    );
  });
});
