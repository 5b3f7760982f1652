/** A daemon's API in memory on a real unix socket: what the CLI talks to in tests, typed by the route table. */
import { mkdir, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { dirname } from 'node:path';
import type { Duplex } from 'node:stream';
import { json } from 'node:stream/consumers';
import type { z } from 'zod';
import { ADDRESSES, API_PREFIX } from '../../src/contracts/addresses.ts';
import type { DaemonStatus } from '../../src/contracts/daemon.ts';
import { type ErrorBody, type ErrorCode, ERRORS } from '../../src/contracts/errors.ts';
import type { OperationEvent } from '../../src/contracts/event.ts';
import type { Operation, OperationKind, Stage } from '../../src/contracts/operation.ts';
import type { RouteName, Routes } from '../../src/contracts/routes.ts';

export interface FakeRequest {
  readonly route: RouteName;
  readonly params: Readonly<Record<string, string>>;
  readonly body: unknown;
}

type Answer<Name extends RouteName> = (
  request: FakeRequest,
) => z.output<Routes[Name]['reply']> | Promise<z.output<Routes[Name]['reply']>>;

/** Thrown by an answer: becomes an error reply. */
export class FakeRefusal extends Error {
  readonly body: ErrorBody;

  constructor(code: ErrorCode, message: string, details: Record<string, unknown> = {}) {
    super(message);
    this.body = { code, message, hint: ERRORS[code].hint, details };
  }
}

/** An operation whose events a test writes; every stream of it gets them. */
export class FakeOperation {
  operation: Operation;
  readonly #events: OperationEvent[] = [];
  readonly #streams = new Set<ServerResponse>();

  constructor(id: string, kind: OperationKind, target: string) {
    this.operation = { id, kind, target, state: 'running', stages: [], createdAt: new Date().toISOString() };
  }

  stage(name: string, state: Stage['state'], more: Partial<Stage> = {}): this {
    const stage: Stage = { name, state, ...more };
    const stages = [...this.operation.stages.filter((known) => known.name !== name), stage];
    this.operation = { ...this.operation, stages };
    return this.#emit({ type: 'stage', at: new Date().toISOString(), stage });
  }

  log(stage: string, line: string): this {
    return this.#emit({ type: 'log', at: new Date().toISOString(), stage, line });
  }

  end(state: Operation['state'], outcome: { readonly result?: unknown; readonly error?: ErrorBody } = {}): this {
    this.operation = { ...this.operation, ...outcome, state, endedAt: new Date().toISOString() };
    this.#emit({ type: 'end', at: new Date().toISOString(), operation: this.operation });
    for (const stream of this.#streams) stream.end();
    return this;
  }

  /** Breaks every open stream in the middle, as a dying daemon does. */
  breakStreams(): void {
    for (const stream of this.#streams) stream.destroy();
    this.#streams.clear();
  }

  stream(response: ServerResponse, after: number): void {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.flushHeaders();
    for (const [index, event] of this.#events.entries()) if (index + 1 > after) send(response, index + 1, event);
    if (this.operation.state !== 'running') response.end();
    else this.#streams.add(response);
    response.on('close', () => this.#streams.delete(response));
  }

  #emit(event: OperationEvent): this {
    this.#events.push(event);
    for (const stream of this.#streams) send(stream, this.#events.length, event);
    return this;
  }
}

function send(response: ServerResponse, id: number, event: OperationEvent): void {
  response.write(`id: ${id}\ndata: ${JSON.stringify(event)}\n\n`);
}

export class FakeDaemon implements AsyncDisposable {
  readonly socketPath: string;
  readonly requests: FakeRequest[] = [];
  readonly operations = new Map<string, FakeOperation>();
  /** What `GET /v1/daemon` says; a test changes it. */
  status: DaemonStatus;
  /** Takes over a connection to a guest's port; absent: refused. */
  onTunnel: ((socket: Duplex, params: Readonly<Record<string, string>>) => void) | undefined;
  /** VMs whose lease is held now. */
  readonly leases = new Set<string>();
  readonly #answers = new Map<RouteName, (request: FakeRequest) => unknown>();
  readonly #waiting: { readonly route: RouteName; readonly resolve: (request: FakeRequest) => void }[] = [];
  readonly #server: Server;

  static async start(options: { readonly socketPath: string; readonly buildId: string }): Promise<FakeDaemon> {
    await mkdir(dirname(options.socketPath), { recursive: true, mode: 0o700 });
    const daemon = new FakeDaemon(options);
    await new Promise<void>((resolve, reject) => {
      daemon.#server.once('error', reject);
      daemon.#server.listen(options.socketPath, resolve);
    });
    return daemon;
  }

  private constructor({ socketPath, buildId }: { readonly socketPath: string; readonly buildId: string }) {
    this.socketPath = socketPath;
    this.status = {
      version: '0.1.0',
      buildId,
      pid: process.pid,
      startedAt: new Date().toISOString(),
      socketPath,
      homePath: dirname(dirname(socketPath)),
      networkMode: 'isolated',
      namespaceName: 'banger-00000000',
      runningVms: 0,
      runningOperations: 0,
      rssBytes: 60 * 2 ** 20,
    };
    this.on('daemonStatus', () => this.status);
    this.on('operationShow', ({ params }) => this.#operation(params['id']).operation);
    this.on('operationList', () => [...this.operations.values()].map(({ operation }) => operation));
    this.#server = createServer((request, response) => void this.#serve(request, response));
    this.#server.on('upgrade', (request, socket: Duplex) => this.#upgrade(request, socket));
  }

  on<Name extends RouteName>(route: Name, answer: Answer<Name>): this {
    this.#answers.set(route, answer);
    return this;
  }

  /** A new operation; `POST`s that start one answer with its `operation`. */
  newOperation(kind: OperationKind, target: string): FakeOperation {
    const id = `op-${String(this.operations.size + 1).padStart(10, '0')}`;
    const operation = new FakeOperation(id, kind, target);
    this.operations.set(id, operation);
    return operation;
  }

  /** The next request of a route, from now on. */
  next(route: RouteName): Promise<FakeRequest> {
    return new Promise((resolve) => void this.#waiting.push({ route, resolve }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    await rm(this.socketPath, { force: true });
  }

  #operation(id: string | undefined): FakeOperation {
    const found = this.operations.get(id ?? '');
    if (!found) throw new FakeRefusal('OPERATION_NOT_FOUND', `There is no operation ${id}`);
    return found;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const found = match(request);
      if (!found) throw new FakeRefusal('ROUTE_UNKNOWN', `No such address: ${request.url}`);
      const hasBody = Number(request.headers['content-length'] ?? 0) > 0;
      const seen: FakeRequest = { ...found, body: hasBody ? await json(request) : undefined };
      this.requests.push(seen);
      for (const waiting of this.#waiting.splice(0)) {
        if (waiting.route === seen.route) waiting.resolve(seen);
        else this.#waiting.push(waiting);
      }
      const { kind } = ADDRESSES[seen.route];
      if (seen.route === 'operationEvents') {
        this.#operation(seen.params['id']).stream(response, Number(request.headers['last-event-id'] ?? 0));
        return;
      }
      const answer = this.#answers.get(seen.route);
      if (!answer) throw new FakeRefusal('INTERNAL', `The test gave no answer for ${seen.route}`);
      const reply = await answer(seen);
      if (kind === 'text') response.writeHead(200, { 'content-type': 'text/plain' }).end(String(reply));
      else respond(response, kind === 'operation' ? 202 : 200, reply);
    } catch (error) {
      const body = error instanceof FakeRefusal ? error.body : new FakeRefusal('INTERNAL', String(error)).body;
      respond(response, ERRORS[body.code].status, body);
    }
  }

  #upgrade(request: IncomingMessage, socket: Duplex): void {
    const found = match(request);
    if (found?.route === 'vmLease') {
      this.leases.add(found.params['name'] ?? '');
      socket.once('close', () => this.leases.delete(found.params['name'] ?? ''));
      socket.on('error', () => undefined);
      socket.once('end', () => socket.end());
      socket.resume();
      socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: banger-lease\r\n\r\n');
      return;
    }
    if (!found || !this.onTunnel) {
      const body = JSON.stringify(new FakeRefusal('GUEST_UNREACHABLE', 'nobody listens').body);
      socket.end(`HTTP/1.1 502 Bad Gateway\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
      return;
    }
    socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: banger-tcp\r\n\r\n');
    this.onTunnel(socket, found.params);
  }
}

function respond(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function match(request: IncomingMessage): { route: RouteName; params: Record<string, string> } | undefined {
  const parts = new URL(request.url ?? '', 'http://banger').pathname.split('/').map(decodeURIComponent);
  for (const [route, address] of Object.entries(ADDRESSES)) {
    if (address.method !== request.method) continue;
    const pattern = `${API_PREFIX}${address.path}`.split('/');
    if (pattern.length !== parts.length) continue;
    const params: Record<string, string> = {};
    const fits = pattern.every((piece, index) => {
      const given = parts[index] ?? '';
      if (!piece.startsWith('{')) return piece === given;
      params[piece.slice(1, -1)] = given;
      return given !== '';
    });
    if (fits) return { route: route as RouteName, params };
  }
  return undefined;
}
