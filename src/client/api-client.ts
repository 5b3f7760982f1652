/** Typed calls derived from the route table. */
import type { Socket } from 'node:net';
import type { z } from 'zod';
import { ADDRESSES, API_PREFIX } from '../contracts/addresses.ts';
import type { OperationEvent } from '../contracts/event.ts';
import type { RouteName, Routes } from '../contracts/routes.ts';
import { hasCode } from '../host/error-code.ts';
import { ClientError, readErrorBody } from './client-error.ts';
import { exchange, type HttpReply, openStream, readReply } from './http-over-unix.ts';

type RoutesOfKind<Kind> = { [Name in RouteName]: Routes[Name]['kind'] extends Kind ? Name : never }[RouteName];

type Part<Name extends RouteName, Key extends 'params' | 'body'> =
  Routes[Name] extends Record<Key, infer Schema extends z.ZodType>
    ? Record<Key, Key extends 'params' ? z.output<Schema> : z.input<Schema>>
    : { readonly [Absent in Key]?: never };

/** Routes that are upgraded. */
export type TunnelRoute = RoutesOfKind<'tunnel'>;

/** Routes that answer with a resource or with an operation. */
export type SyncCall = RoutesOfKind<'sync' | 'operation'>;

export type CallInput<Name extends RouteName> = Part<Name, 'params'> & Part<Name, 'body'>;

export type CallReply<Name extends RouteName> = z.output<Routes[Name]['reply']>;

type PathParams = Readonly<Record<string, string | number>>;

/** Nothing that is answered at once takes longer; what takes longer is an operation. */
const CALL_TIMEOUT_MS = 60_000;

interface ApiClientOptions {
  readonly socketPath: string;
  /**
   * True where the daemon is of our own build: its replies were typed by the very schemas we have, so they are taken
   * as they are. Replies of another build are parsed; fields we do not know are left out.
   */
  readonly sameBuild: boolean;
  /** Anything but a reply of this build is an OtherBuildError: for a client that has not asked yet who is there. */
  readonly onlyBuild?: string;
}

/** It was another build that answered; what it said is not looked at. */
export class OtherBuildError extends Error {
  override readonly name = 'OtherBuildError';
}

/** The daemon's API. Every method throws ClientError. */
export class ApiClient {
  readonly #socketPath: string;
  readonly #sameBuild: boolean;
  readonly #onlyBuild: string | undefined;

  constructor({ socketPath, sameBuild, onlyBuild }: ApiClientOptions) {
    this.#socketPath = socketPath;
    this.#sameBuild = sameBuild;
    this.#onlyBuild = onlyBuild;
  }

  async call<Name extends SyncCall>(
    name: Name,
    input: CallInput<Name>,
    options: { readonly signal?: AbortSignal; readonly timeoutMs?: number } = {},
  ): Promise<CallReply<Name>> {
    const reply = await this.#reach(
      exchange(this.#socketPath, {
        method: ADDRESSES[name].method,
        path: routePath(name, input.params as PathParams | undefined),
        body: input.body,
        signal: options.signal,
        timeoutMs: options.timeoutMs ?? CALL_TIMEOUT_MS,
      }),
    );
    this.#assertBuild(reply.build);
    return (await this.#parse(name, readJson(reply))) as CallReply<Name>;
  }

  /** An operation's log so far. */
  async operationLog(id: string): Promise<string> {
    const path = routePath('operationLog', { id });
    const reply = await this.#reach(exchange(this.#socketPath, { method: 'GET', path, timeoutMs: CALL_TIMEOUT_MS }));
    if (reply.status !== 200) throw refusal(reply);
    return reply.text;
  }

  /**
   * An operation's events from its beginning to its end. A connection that breaks is opened again where it was left.
   *
   * @param reconnect called before each new attempt; the daemon may have to be started.
   */
  async *operationEvents(
    id: string,
    options: { readonly signal?: AbortSignal; readonly reconnect?: () => Promise<void> } = {},
  ): AsyncGenerator<OperationEvent, void> {
    const { resumeEvents } = await import('./event-stream.ts');
    yield* resumeEvents<OperationEvent>({
      open: async (after) => {
        const headers = { accept: 'text/event-stream', ...(after ? { 'last-event-id': after } : {}) };
        const path = routePath('operationEvents', { id });
        const reply = await this.#reach(
          openStream(this.#socketPath, { method: 'GET', path, headers, signal: options.signal }),
        );
        if (reply.statusCode !== 200) throw refusal(await readReply(reply));
        return reply;
      },
      parse: (data) => this.#parse('operationEvents', JSON.parse(data)) as Promise<OperationEvent>,
      isLast: (event) => event.type === 'end',
      ...options,
    });
  }

  /** A TCP connection to a guest's port. */
  tunnel(name: string, port: number, signal?: AbortSignal): Promise<Socket> {
    return this.upgrade('vmTunnel', { name, port }, signal);
  }

  /** A connection that carries the route's own protocol both ways. */
  async upgrade(route: TunnelRoute, params: PathParams, signal?: AbortSignal): Promise<Socket> {
    const { upgrade } = await import('./upgrade.ts');
    const { protocol } = ADDRESSES[route];
    const path = routePath(route, params);
    const opened = await this.#reach(upgrade(this.#socketPath, { path, protocol, signal }));
    if ('socket' in opened && this.#isOther(opened.build)) opened.socket.destroy();
    this.#assertBuild(opened.build);
    if ('status' in opened) throw refusal(opened);
    return opened.socket;
  }

  #isOther(build: string | undefined): boolean {
    return this.#onlyBuild !== undefined && build !== this.#onlyBuild;
  }

  #assertBuild(build: string | undefined): void {
    if (this.#isOther(build)) throw new OtherBuildError(`${build ?? 'another build'} answered`);
  }

  async #parse(name: RouteName, value: unknown): Promise<unknown> {
    if (this.#sameBuild) return value;
    const { ROUTES } = await import('../contracts/routes.ts');
    const parsed = ROUTES[name].reply.safeParse(value);
    if (parsed.success) return parsed.data;
    throw new ClientError('INTERNAL', `The daemon, which is of another build, answered what we cannot read: ${name}`, {
      hint: 'Run `banger daemon stop`; the next command starts a daemon of this build.',
      cause: parsed.error,
    });
  }

  async #reach<Value>(exchange: Promise<Value>): Promise<Value> {
    try {
      return await exchange;
    } catch (error) {
      throw asUnreachable(error, this.#socketPath);
    }
  }
}

/** A route's path with its parameters filled in, each one percent-encoded. */
export function routePath(name: RouteName, params: PathParams = {}): string {
  const path = ADDRESSES[name].path.replaceAll(/\{(\w+)\}/g, (_, key: string) =>
    encodeURIComponent(String(params[key] ?? '')),
  );
  return `${API_PREFIX}${path}`;
}

function readJson(reply: HttpReply): unknown {
  if (reply.status >= 300) throw refusal(reply);
  return JSON.parse(reply.text);
}

function refusal(reply: HttpReply): ClientError {
  const body = readErrorBody(parseLoosely(reply.text));
  if (body) return ClientError.fromBody(body);
  return new ClientError('INTERNAL', `The daemon answered with status ${reply.status} and no error of its own`, {
    details: { reply: reply.text.slice(0, 2000) },
  });
}

function parseLoosely(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Failures of the socket as DAEMON_UNREACHABLE; an abort by the caller stays what it is. */
function asUnreachable(error: unknown, socketPath: string): unknown {
  const lost = hasCode(error, 'ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'EACCES', 'ETIMEDOUT');
  if (!lost || !(error instanceof Error)) return error;
  return new ClientError('DAEMON_UNREACHABLE', `The daemon at ${socketPath} cannot be reached: ${error.message}`, {
    cause: error,
  });
}
