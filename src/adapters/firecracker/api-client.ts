/** Client of Firecracker's API: HTTP over a unix socket, one connection, one request at a time. */
import { Agent, type IncomingMessage, request as httpRequest } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasCode } from '../../host/error-code.ts';
import { ApiError, type ApiRequest, faultOf } from './api-message.ts';

/** Firecracker's largest reply is the whole configuration, some KiB. */
const MAX_REPLY_BYTES = 1024 * 1024;
/** Between two looks for a VMM that does not listen yet. */
const LOOK_AGAIN_MS = 10;

export interface ExchangeOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

export class ApiClient {
  readonly #socketPath: string;
  /** Firecracker has ten connections in all, and works on one request at a time whatever their number. */
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  /**
   * @returns what the reply holds; undefined where it holds nothing.
   * @throws ApiError `unreachable` where nobody listens, `refused` with Firecracker's own words, `timeout` past the
   * deadline, `closed` where the connection ends first, `protocol` where the reply is none; the signal's reason.
   */
  async send(message: ApiRequest, options: ExchangeOptions): Promise<unknown> {
    const deadline = AbortSignal.timeout(options.timeoutMs);
    const limit = options.signal ? AbortSignal.any([options.signal, deadline]) : deadline;
    try {
      return replyOf(message, await this.#exchange(message, limit), () => this.#agent.destroy());
    } catch (error) {
      if (error instanceof ApiError) throw error;
      options.signal?.throwIfAborted();
      throw transportError(message, error, deadline.aborted ? options.timeoutMs : undefined);
    }
  }

  get(path: string, options: ExchangeOptions): Promise<unknown> {
    return this.send({ method: 'GET', path }, options);
  }

  /**
   * As `get`, of a VMM that may not listen yet: the socket is there for an instant before anybody accepts, and a file
   * that is there may be a dead one's.
   */
  async getOnceListening(path: string, { timeoutMs, signal }: ExchangeOptions): Promise<unknown> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const remainingMs = Math.max(deadline - performance.now(), 1);
      try {
        return await this.get(path, { timeoutMs: Math.ceil(remainingMs), signal });
      } catch (error) {
        if (!(error instanceof ApiError) || error.failure !== 'unreachable' || performance.now() >= deadline)
          throw error;
      }
      await sleep(LOOK_AGAIN_MS, undefined, signal ? { signal } : {});
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  async #exchange({ method, path, body }: ApiRequest, signal: AbortSignal): Promise<Reply> {
    const { promise, resolve, reject } = Promise.withResolvers<Reply>();
    // Given whole, with its length: of a body in chunks Firecracker takes the chunks for the next request.
    const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const headers = payload
      ? { Accept: 'application/json', 'Content-Type': 'application/json', 'Content-Length': payload.length }
      : { Accept: 'application/json' };
    const exchange = httpRequest({ socketPath: this.#socketPath, agent: this.#agent, method, path, headers, signal });
    exchange.once('error', reject);
    exchange.once('response', (response) => void collect(response).then(resolve, reject));
    exchange.end(payload);
    return promise;
  }
}

interface Reply {
  readonly status: number;
  readonly body: string;
}

async function collect(response: IncomingMessage): Promise<Reply> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    // Leaving the loop ends the connection.
    if (sizeBytes > MAX_REPLY_BYTES) throw new ApiError('protocol', `A reply has more than ${MAX_REPLY_BYTES} bytes.`);
    chunks.push(chunk);
  }
  return { status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') };
}

function replyOf(message: ApiRequest, { status, body }: Reply, drop: () => void): unknown {
  if (status === 204) return undefined;
  if (status === 200) {
    try {
      return JSON.parse(body);
    } catch (error) {
      throw new ApiError('protocol', `${nameOf(message)} was answered with what is not JSON.`, error);
    }
  }
  const fault = faultOf(body);
  if (fault.isOfTransport) drop();
  throw new ApiError('refused', `Firecracker refused ${nameOf(message)} (${status}): ${fault.text}`);
}

function transportError(message: ApiRequest, error: unknown, timedOutMs: number | undefined): ApiError {
  const name = nameOf(message);
  if (timedOutMs !== undefined) {
    return new ApiError('timeout', `Firecracker did not answer ${name} within ${timedOutMs} ms.`, error);
  }
  // Before `bind`, between `bind` and `listen`, and after the end of whoever had the socket.
  if (hasCode(error, 'ENOENT', 'ECONNREFUSED'))
    return new ApiError('unreachable', 'Firecracker does not listen.', error);
  if (hasCode(error, 'ECONNRESET', 'EPIPE')) {
    return new ApiError('closed', `Firecracker closed the connection before it had answered ${name}.`, error);
  }
  const words = error instanceof Error ? error.message : String(error);
  return new ApiError('protocol', `${name} was not answered as HTTP has it: ${words}`, error);
}

function nameOf({ method, path }: ApiRequest): string {
  return `${method} ${path}`;
}
