import { API_PREFIX, type RouteKind } from '../../src/contracts/addresses.ts';
import { ERRORS, type ErrorCode } from '../../src/contracts/errors.ts';
import { ROUTES, type Route } from '../../src/contracts/routes.ts';
import { openApiDocument } from '../../src/daemon/openapi.ts';
import { GENERATED_NOTE, code, page, table } from './markdown.ts';
import { fieldsOf } from './schema-fields.ts';

const KINDS: Readonly<Record<RouteKind, string>> = {
  sync: '200 with the resource.',
  operation: '202 with an operation, and its address in `Location`. Follow it by its events.',
  events: '200 with server-sent events; the `id` of each is its number. Resume by the header `Last-Event-ID`.',
  text: '200 with plain text.',
  tunnel: '101 after the header `Upgrade` that the summary names; from there on its bytes both ways.',
};

export function apiPage(): string {
  const routes = Object.entries(ROUTES) as [string, Route][];
  return page([
    '# API',
    GENERATED_NOTE,
    `HTTP and JSON over the daemon’s unix socket (\`banger daemon status\` tells where), below \`${API_PREFIX}\`. The same as an OpenAPI 3.1 document: [openapi.json](openapi.json), and \`GET ${API_PREFIX}/openapi.json\` of a running daemon. Any address may also answer with REQUEST_INVALID (400) or INTERNAL (500); [errors.md](errors.md) has every error.`,
    table(
      ['address', 'what it does'],
      routes.map(([name, route]) => [`[${address(route)}](#${name.toLowerCase()})`, route.summary]),
    ),
    ...routes.flatMap(([name, route]) => [
      `## ${name}`,
      code(address(route)),
      `${route.summary}. Answers ${KINDS[route.kind]}${replyName(route)}`,
      fieldTable('Parameters', { ...route.params?.shape, ...route.query?.shape }, route),
      route.body ? page(['Body:', bodyTable(route.body)]).trimEnd() : '',
      errorTable(route.errors),
    ]),
  ]);
}

/** The name of the reply's schema in the OpenAPI document, where it has one. */
function replyName(route: Route): string {
  const answer = JSON.stringify(openApiDocument()['paths'], [
    API_PREFIX + route.path,
    route.method.toLowerCase(),
    'responses',
    '200',
    '202',
    'content',
    'application/json',
    'text/event-stream',
    'schema',
    'items',
    '$ref',
  ]);
  const name = /"\$ref":"#\/components\/schemas\/(\w+)"/.exec(answer)?.[1];
  if (name === undefined) return '';
  return ` The reply is ${answer.includes('"items"') ? 'a list of ' : ''}${code(name)} of [openapi.json](openapi.json).`;
}

function address(route: Route): string {
  return `${route.method} ${API_PREFIX}${route.path}`;
}

function fieldTable(title: string, shape: object, route: Route): string {
  if (Object.keys(shape).length === 0) return '';
  const inPath = route.params ? fieldsOf(route.params).map((field) => [field, 'path'] as const) : [];
  const inQuery = route.query ? fieldsOf(route.query).map((field) => [field, 'query'] as const) : [];
  const rows = [...inPath, ...inQuery].map(([field, place]) => [
    code(field.name),
    place,
    field.type,
    field.description,
  ]);
  return page([`${title}:`, table(['name', 'in', 'type', 'meaning'], rows)]).trimEnd();
}

function bodyTable(schema: NonNullable<Route['body']>): string {
  return table(
    ['field', 'type', 'default', 'meaning'],
    fieldsOf(schema).map(({ name, type, defaultText, required, description }) => [
      code(name),
      type,
      required ? 'must be given' : defaultText === undefined ? '' : code(defaultText),
      description,
    ]),
  );
}

function errorTable(codes: readonly ErrorCode[]): string {
  if (codes.length === 0) return '';
  const rows = codes.map((name) => [
    `[${name}](errors.md#${name.toLowerCase()})`,
    String(ERRORS[name].status),
    ERRORS[name].title,
  ]);
  return page(['Errors of its own:', table(['code', 'status', 'meaning'], rows)]).trimEnd();
}
