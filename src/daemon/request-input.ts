/** A request's parameters, query and body, checked by the route table's schemas. */
import type { Route } from '../contracts/routes.ts';
import { checkRequest } from '../contracts/request-check.ts';
import { z } from 'zod';
import { AppError, describe } from '../core/app-error.ts';

/** Largest body: a recipe's script is the largest thing anybody sends. */
const MAX_BODY_BYTES = 2 * 2 ** 20;

const nothing = z.strictObject({});

export interface RequestInput {
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
}

/** @throws AppError REQUEST_INVALID, or the code of the field that is wrong. */
export async function readInput(
  route: Route,
  request: Request,
  params: Readonly<Record<string, string>>,
): Promise<RequestInput> {
  return {
    params: route.params && check(route.params, params),
    query: readQuery(route, request),
    body: await readBody(route, request),
  };
}

function check(schema: z.ZodType, value: unknown): unknown {
  const checked = checkRequest(schema, value);
  if (checked.ok) return checked.value;
  const { code, message, details } = checked.fault;
  throw new AppError(code, message, { details });
}

function invalid(message: string, details: Readonly<Record<string, unknown>> = {}): AppError {
  return new AppError('REQUEST_INVALID', message, { details });
}

function readQuery(route: Route, request: Request): unknown {
  const query: Record<string, string> = {};
  for (const [name, value] of new URL(request.url).searchParams) {
    if (Object.hasOwn(query, name)) throw invalid(`${name}: given more than once in the query`);
    query[name] = value;
  }
  // A browser that comes back sends the header beside the address it first asked for, so the header is newer.
  const lastEventId = route.kind === 'events' ? request.headers.get('last-event-id') : null;
  if (lastEventId !== null) query['after'] = lastEventId;
  const value = check(route.query?.strict() ?? nothing, query);
  return route.query ? value : undefined;
}

async function readBody(route: Route, request: Request): Promise<unknown> {
  const text = await readText(request);
  if (text === '' && !route.body) return undefined;
  // Left out altogether it is an empty one: a route whose fields have defaults needs none.
  const value = text === '' ? {} : parseJson(text, request);
  const body = check(route.body ?? nothing, value);
  return route.body ? body : undefined;
}

function parseJson(text: string, request: Request): unknown {
  const type = request.headers.get('content-type') ?? '';
  if (!/^application\/json\s*(;|$)/i.test(type)) {
    throw invalid(`The body must be sent as application/json, not as "${type || 'nothing'}"`);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw invalid(`The body is not JSON: ${describe(error)}`);
  }
}

async function readText(request: Request): Promise<string> {
  if (request.method === 'GET') return '';
  const tooLarge = invalid(`The body is larger than ${MAX_BODY_BYTES} bytes`, { maxBytes: MAX_BODY_BYTES });
  if (Number(request.headers.get('content-length') ?? 0) > MAX_BODY_BYTES) throw tooLarge;
  const chunks: Uint8Array[] = [];
  let size = 0;
  const body: AsyncIterable<Uint8Array> | readonly Uint8Array[] = request.body ?? [];
  for await (const chunk of body) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw tooLarge;
    chunks.push(chunk);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch (error) {
    throw invalid(`The body is not UTF-8: ${describe(error)}`);
  }
}
