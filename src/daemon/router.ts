/** The route table as a Hono app: checks what comes in, calls the handler, shapes what goes out. */
import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { type Context, Hono } from 'hono';
import { API_PREFIX, BUILD_HEADER, type TunnelProtocol } from '../contracts/addresses.ts';
import { type Route, type RouteName, ROUTES } from '../contracts/routes.ts';
import { AppError } from '../core/app-error.ts';
import { errorResponse, jsonResponse, toReplyError } from './errors.ts';
import { eventStreamResponse } from './event-stream.ts';
import type { Log } from './log.ts';
import { openApiDocument } from './openapi.ts';
import { readInput, type RequestInput } from './request-input.ts';
import type { Handlers, RequestContext, SequencedEvent } from './route-handlers.ts';

export interface RouterOptions {
  readonly handlers: Handlers;
  readonly log: Log;
  /** Where the log lies, for clients that hit a fault of ours. */
  readonly logPath: string;
  readonly buildId: string;
  /** Aborted when the server closes: streams and tunnels end. */
  readonly closing: AbortSignal;
  readonly heartbeatMs: number;
  /** Checks replies by the route table too; what does not fit becomes INTERNAL. For tests. */
  readonly checkReplies: boolean;
}

/** What the server gives along with a request. */
export interface RequestBindings {
  /** There only where the client asked for an upgrade. */
  readonly upgrade?: {
    readonly protocol: TunnelProtocol;
    /** Takes an open tunnel. */
    readonly take: (tunnel: Duplex) => void;
  };
}

export type Router = Hono<{ Bindings: RequestBindings }>;

type RouterContext = Context<{ Bindings: RequestBindings }>;
type AnyHandler = (input: RequestInput, context: RequestContext) => unknown;

interface Call {
  readonly name: RouteName;
  readonly route: Route;
  readonly context: RequestContext;
  /** Ends what the request holds once its stream is over. */
  readonly gone: AbortController;
}

export function createRouter(options: RouterOptions): Router {
  const app: Router = new Hono();
  let document: string | undefined;
  app.get(`${API_PREFIX}/openapi.json`, () => {
    document ??= JSON.stringify(openApiDocument());
    return new Response(document, { headers: { 'content-type': 'application/json' } });
  });
  for (const [key, route] of Object.entries(ROUTES) as [RouteName, Route][]) {
    const path = API_PREFIX + route.path.replaceAll(/\{(\w+)\}/g, ':$1');
    app.on(route.method, path, (c) => answer(c, key, route, options));
  }
  app.notFound((c) => errorResponse(unknownRoute(c.req.method, c.req.path)));
  app.onError((error) => errorResponse(toReplyError(error, { ...options, requestId: newRequestId() })));
  return app;
}

function unknownRoute(method: string, path: string): AppError {
  return new AppError('ROUTE_UNKNOWN', `There is no ${method} ${path}`, { details: { method, path } });
}

function newRequestId(): string {
  return `req-${randomBytes(4).toString('hex')}`;
}

async function answer(c: RouterContext, name: RouteName, route: Route, options: RouterOptions): Promise<Response> {
  const startedAt = performance.now();
  const requestId = newRequestId();
  const request = c.req.raw;
  const gone = new AbortController();
  const signal = AbortSignal.any([request.signal, options.closing, gone.signal]);
  const call: Call = { name, route, context: { requestId, signal }, gone };
  const response = await respond(c, call, options).catch((error: unknown) =>
    errorResponse(toReplyError(error, { ...options, requestId })),
  );
  response.headers.set('x-request-id', requestId);
  response.headers.set(BUILD_HEADER, options.buildId);
  const durationMs = Math.round(performance.now() - startedAt);
  const { method, path } = c.req;
  options.log.debug({ requestId, route: name, method, path, status: response.status, durationMs }, 'request');
  return response;
}

async function respond(c: RouterContext, call: Call, options: RouterOptions): Promise<Response> {
  const { name, route } = call;
  // Hono answers HEAD by GET's handler; a stream or a tunnel that nobody reads would never end.
  if (c.req.method !== route.method) throw unknownRoute(c.req.method, c.req.path);
  const input = await readInput(route, c.req.raw, c.req.param());
  if (route.kind === 'tunnel' && c.env.upgrade?.protocol !== route.protocol) {
    throw new AppError(
      'REQUEST_INVALID',
      `This address needs the headers Connection: Upgrade, Upgrade: ${route.protocol}`,
    );
  }
  const handler = options.handlers[name] as AnyHandler;
  return toResponse(c, call, await handler(input, call.context), options);
}

function toResponse(c: RouterContext, call: Call, reply: unknown, options: RouterOptions): Response {
  const { route, context } = call;
  switch (route.kind) {
    case 'sync':
      return jsonResponse(200, checkReply(route, reply, options));
    case 'operation': {
      const { id } = reply as { readonly id: string };
      const location = `${API_PREFIX}/operations/${encodeURIComponent(id)}`;
      return jsonResponse(202, checkReply(route, reply, options), { location });
    }
    case 'text':
      return new Response(String(reply), { headers: { 'content-type': 'text/plain; charset=utf-8' } });
    case 'events':
      return eventStreamResponse(reply as AsyncIterable<SequencedEvent<unknown>>, {
        onGone: () => call.gone.abort(),
        onError: (error) => toReplyError(error, { ...options, requestId: context.requestId }),
        heartbeatMs: options.heartbeatMs,
      });
    case 'tunnel':
      c.env.upgrade?.take(reply as Duplex);
      return new Response(null);
  }
}

function checkReply(route: Route, reply: unknown, options: RouterOptions): unknown {
  if (!options.checkReplies) return reply;
  const checked = route.reply.safeParse(reply);
  if (checked.success) return reply;
  throw new AppError('INTERNAL', `The reply does not fit the route table: ${checked.error.message}`);
}
