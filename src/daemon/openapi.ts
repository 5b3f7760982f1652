/** The OpenAPI 3.1 document, made from the route table and the very schemas that check requests. */
import { z } from 'zod';
import { API_PREFIX } from '../contracts/addresses.ts';
import { buildRequestSchema, bootstrapRequestSchema } from '../contracts/build.ts';
import { daemonStatusSchema, stopDaemonReplySchema, stopDaemonRequestSchema } from '../contracts/daemon.ts';
import { type ErrorCode, ERRORS, errorBodySchema } from '../contracts/errors.ts';
import { operationEventSchema, resourceEventSchema } from '../contracts/event.ts';
import {
  bootSetSchema,
  imageHistorySchema,
  imageSchema,
  provenanceSchema,
  registerImageRequestSchema,
} from '../contracts/image.ts';
import { operationSchema, stageSchema } from '../contracts/operation.ts';
import { type Route, type RouteName, ROUTES } from '../contracts/routes.ts';
import { BANGER_VERSION } from '../contracts/version.ts';
import { createVmRequestSchema, sshAccessSchema, vmSchema } from '../contracts/vm.ts';

type Json = Readonly<Record<string, unknown>>;

/** What clients send. */
const REQUESTS: Readonly<Record<string, z.ZodType>> = {
  BootstrapRequest: bootstrapRequestSchema,
  BuildRequest: buildRequestSchema,
  RegisterImageRequest: registerImageRequestSchema,
  CreateVmRequest: createVmRequestSchema,
  StopDaemonRequest: stopDaemonRequestSchema,
};

/** What the daemon sends. */
const REPLIES: Readonly<Record<string, z.ZodType>> = {
  Error: errorBodySchema,
  BootSet: bootSetSchema,
  Provenance: provenanceSchema,
  Image: imageSchema,
  ImageHistory: imageHistorySchema,
  Vm: vmSchema,
  SshAccess: sshAccessSchema,
  Stage: stageSchema,
  Operation: operationSchema,
  OperationEvent: operationEventSchema,
  ResourceEvent: resourceEventSchema,
  DaemonStatus: daemonStatusSchema,
  StopDaemonReply: stopDaemonReplySchema,
};

/** Errors that any route may answer with. */
const COMMON_ERRORS: readonly ErrorCode[] = ['REQUEST_INVALID', 'INTERNAL'];

const NAMES = new Map(Object.entries({ ...REQUESTS, ...REPLIES }).map(([name, schema]) => [schema, name]));

export function openApiDocument(): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const [name, route] of Object.entries(ROUTES) as [RouteName, Route][]) {
    const path = (paths[API_PREFIX + route.path] ??= {});
    path[route.method.toLowerCase()] = operationObject(name, route);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'banger',
      version: BANGER_VERSION,
      summary: 'Real Linux machines in one command',
      description:
        'HTTP over the daemon’s unix socket. What takes more than a second is an operation: 202 and its address.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: 'http://banger', description: 'The daemon’s unix socket; the host name does not matter' }],
    paths,
    components: { schemas: { ...components(REQUESTS, 'input'), ...components(REPLIES, 'output') } },
  };
}

function components(schemas: Readonly<Record<string, z.ZodType>>, io: 'input' | 'output'): Json {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(schemas)) registry.add(schema, { id });
  const made = z.toJSONSchema(registry, { io, uri: refTo, unrepresentable: 'any' });
  return Object.fromEntries(Object.entries(made.schemas).map(([id, schema]) => [id, withoutHeader(schema)]));
}

function refTo(id: string): string {
  return `#/components/schemas/${id}`;
}

/** A component by reference, an array of one likewise; anything else in place. */
function schemaObject(schema: z.ZodType): Json {
  const name = NAMES.get(schema);
  if (name !== undefined) return { $ref: refTo(name) };
  if (schema instanceof z.ZodArray) return { type: 'array', items: schemaObject(schema.element as z.ZodType) };
  return withoutHeader(z.toJSONSchema(schema, { io: 'output', unrepresentable: 'any' }));
}

/** Without what a JSON Schema document of its own begins with. */
function withoutHeader(schema: Json): Json {
  return Object.fromEntries(
    Object.entries(schema).filter(([key]) => key !== '$schema' && key !== '$id' && key !== 'id'),
  );
}

function operationObject(name: RouteName, route: Route): Json {
  const parameters = [...parameterObjects(route.params, 'path'), ...parameterObjects(route.query, 'query')];
  return {
    operationId: name,
    summary: route.summary,
    tags: [route.path.split('/')[1]],
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(route.body ? { requestBody: { content: jsonContent(schemaObject(route.body)) } } : {}),
    responses: { ...successResponse(route), ...errorResponses(route) },
  };
}

function parameterObjects(schema: z.ZodObject | undefined, place: 'path' | 'query'): readonly Json[] {
  return Object.entries(schema?.shape ?? {}).map(([name, field]) => ({
    name,
    in: place,
    required: place === 'path',
    schema: schemaObject(field as z.ZodType),
  }));
}

function jsonContent(schema: Json): Json {
  return { 'application/json': { schema } };
}

function successResponse(route: Route): Json {
  const schema = schemaObject(route.reply);
  switch (route.kind) {
    case 'sync':
      return { 200: { description: route.summary, content: jsonContent(schema) } };
    case 'operation':
      return {
        202: {
          description: 'The operation has begun',
          headers: { Location: { description: 'The operation’s address', schema: { type: 'string' } } },
          content: jsonContent(schema),
        },
      };
    case 'text':
      return { 200: { description: route.summary, content: { 'text/plain': { schema } } } };
    case 'events':
      return {
        200: {
          description: 'Server-sent events; `data` of each is this schema, `id` its number. Resume by `Last-Event-ID`.',
          content: { 'text/event-stream': { schema } },
        },
      };
    case 'tunnel':
      return {
        101: { description: 'The connection carries the bytes of the protocol named in `Upgrade` from here on' },
      };
  }
}

/** One response for each status, with the codes that come with it. */
function errorResponses(route: Route): Json {
  const byStatus = Map.groupBy([...COMMON_ERRORS, ...route.errors], (code) => ERRORS[code].status);
  return Object.fromEntries(
    [...byStatus].map(([status, codes]) => [
      status,
      {
        description: codes.map((code) => `${code}: ${ERRORS[code].title}`).join('; '),
        content: jsonContent({ allOf: [{ $ref: refTo('Error') }, { properties: { code: { enum: codes } } }] }),
      },
    ]),
  );
}
