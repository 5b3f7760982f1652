/**
 * HTTP over the daemon's unix socket. A plain exchange is written on node:net: node:http takes 7 ms longer, a quarter
 * of Node's own start, and `banger vm list` may take twice that start at most. Streams use node:http.
 */
import type { IncomingMessage } from 'node:http';
import { createConnection } from 'node:net';
import { BUILD_HEADER } from '../contracts/addresses.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

interface ExchangeRequest extends HttpRequest {
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly timeoutMs: number;
}

export interface HttpReply {
  readonly status: number;
  readonly text: string;
  /** Which build has answered, where it says so. */
  readonly build?: string | undefined;
}

/** A connection that ended before the whole reply had come, or a reply that did not come in time. */
export class HttpFailure extends Error {
  override readonly name = 'HttpFailure';
  readonly code: 'ECONNRESET' | 'ETIMEDOUT';

  constructor(code: 'ECONNRESET' | 'ETIMEDOUT', message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * Sends a request and reads the whole reply. It speaks HTTP/1.0: the reply ends with the connection.
 *
 * @throws HttpFailure, the socket's own error, or the signal's reason.
 */
export function exchange(socketPath: string, request: ExchangeRequest): Promise<HttpReply> {
  const { promise, resolve, reject } = Promise.withResolvers<HttpReply>();
  const chunks: Buffer[] = [];
  const socket = createConnection(socketPath);
  const onAbort = (): void => void socket.destroy(abortReason(request.signal));
  const timer = setTimeout(
    () => socket.destroy(new HttpFailure('ETIMEDOUT', `no reply within ${request.timeoutMs / 1000} s`)),
    request.timeoutMs,
  );
  socket.on('data', (chunk: Buffer) => void chunks.push(chunk));
  socket.once('end', () => {
    const reply = parseReply(Buffer.concat(chunks));
    if (reply) resolve(reply);
    else reject(new HttpFailure('ECONNRESET', 'the connection ended before the reply did'));
  });
  socket.once('error', reject);
  socket.once('close', () => {
    clearTimeout(timer);
    request.signal?.removeEventListener('abort', onAbort);
    reject(new HttpFailure('ECONNRESET', 'the connection was closed'));
  });
  if (request.signal?.aborted) onAbort();
  request.signal?.addEventListener('abort', onAbort, { once: true });
  socket.write(requestText(request));
  return promise;
}

function requestText(request: ExchangeRequest): string {
  const payload = request.body === undefined ? '' : JSON.stringify(request.body);
  const headers = {
    host: 'banger',
    ...request.headers,
    ...(payload && { 'content-type': 'application/json' }),
    'content-length': String(Buffer.byteLength(payload)),
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${request.method} ${request.path} HTTP/1.0\r\n${lines.join('')}\r\n${payload}`;
}

/** @returns undefined where the bytes are not a whole reply. */
export function parseReply(bytes: Buffer): HttpReply | undefined {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd < 0) return undefined;
  const head = bytes.toString('latin1', 0, headEnd);
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1];
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  const body = bytes.subarray(headEnd + 4);
  if (status === undefined || (length !== undefined && body.length < Number(length))) return undefined;
  return { status: Number(status), text: body.toString('utf8'), build: buildIn(head) };
}

const BUILD_LINE = new RegExp(`\\r\\n${BUILD_HEADER}: *(\\S+)`, 'i');

/** What a reply's head says of who has answered. */
export function buildIn(head: string): string | undefined {
  return BUILD_LINE.exec(head)?.[1];
}

function abortReason(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new DOMException('The request was aborted', 'AbortError');
}

/** Sends a request; the reply's body is the caller's to read. */
export async function openStream(socketPath: string, request: HttpRequest): Promise<IncomingMessage> {
  const { request: send } = await import('node:http');
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const sent = send({ ...requestOptions(socketPath, request), headers: { host: 'banger', ...request.headers } });
  sent.once('response', resolve);
  sent.once('error', reject);
  sent.end();
  return promise;
}

/** Reads a reply to its end. */
export async function readReply(reply: IncomingMessage): Promise<HttpReply> {
  const { text } = await import('node:stream/consumers');
  return { status: reply.statusCode ?? 0, text: await text(reply) };
}

function requestOptions(socketPath: string, { method, path, signal }: HttpRequest) {
  // No agent: every stream has a connection of its own.
  return { socketPath, agent: false as const, method, path, ...(signal ? { signal } : {}) };
}
