/** HTTP over the daemon's unix socket, on node:http: it is part of Node's start-up snapshot, so it costs nothing. */
import { Agent, type IncomingMessage, request as httpRequest } from 'node:http';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
}

export interface HttpReply {
  readonly status: number;
  readonly text: string;
}

/** One connection pool to one socket. */
export class UnixHttp {
  readonly #socketPath: string;
  readonly #agent = new Agent({ keepAlive: true });

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  /** Sends a request and reads the whole reply. */
  async exchange(request: HttpRequest): Promise<HttpReply> {
    const reply = await this.open(request);
    return { status: reply.statusCode ?? 0, text: await text(reply) };
  }

  /** Sends a request; the reply's body is the caller's to read. */
  open(request: HttpRequest): Promise<IncomingMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const payload = request.body === undefined ? undefined : JSON.stringify(request.body);
    const sent = httpRequest({
      socketPath: this.#socketPath,
      agent: this.#agent,
      method: request.method,
      path: request.path,
      headers: {
        host: 'banger',
        ...request.headers,
        ...(payload === undefined ? {} : { 'content-type': 'application/json' }),
        'content-length': Buffer.byteLength(payload ?? ''),
      },
      ...(request.signal ? { signal: request.signal } : {}),
    });
    sent.once('response', resolve);
    sent.once('error', reject);
    sent.end(payload);
    return promise;
  }

  /**
   * Asks for another protocol on the connection.
   *
   * @returns raw bytes both ways; or the reply of a server that refused.
   */
  upgrade(request: HttpRequest & { readonly protocol: string }): Promise<Duplex | HttpReply> {
    const { promise, resolve, reject } = Promise.withResolvers<Duplex | HttpReply>();
    const sent = httpRequest({
      socketPath: this.#socketPath,
      method: request.method,
      path: request.path,
      headers: { host: 'banger', ...request.headers, connection: 'Upgrade', upgrade: request.protocol },
      ...(request.signal ? { signal: request.signal } : {}),
    });
    sent.once('upgrade', (_reply, socket, head) => {
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
    });
    sent.once('response', (reply) => {
      text(reply).then((body) => resolve({ status: reply.statusCode ?? 0, text: body }), reject);
    });
    sent.once('error', reject);
    sent.end();
    return promise;
  }

  /** Lets go of idle connections. */
  close(): void {
    this.#agent.destroy();
  }
}
