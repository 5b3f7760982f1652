/** The daemon's server on a real socket, with handlers that a test gives, and a client that hides nothing. */
import { Agent, type IncomingHttpHeaders, type IncomingMessage, request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pino } from 'pino';
import { onTestFinished } from 'vitest';
import { ROUTES } from '../../src/contracts/routes.ts';
import { AppError } from '../../src/core/app-error.ts';
import type { Handlers } from '../../src/daemon/route-handlers.ts';
import { type RunningServer, startServer } from '../../src/daemon/server.ts';
import { makeTempDir } from './temp-dir.ts';

/** Requests that the test has not provided for. */
function noHandlers(): Handlers {
  const refuse = (): never => {
    throw new AppError('INTERNAL', 'the test gave no handler');
  };
  return Object.fromEntries(Object.keys(ROUTES).map((name) => [name, refuse])) as unknown as Handlers;
}

export interface Ask {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly signal?: AbortSignal;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export interface TestServer {
  readonly socketPath: string;
  readonly running: RunningServer;
  /** Every line that was logged. */
  readonly logged: () => readonly Readonly<Record<string, unknown>>[];
  /** Sends a request and gives its reply, the body unread. */
  readonly open: (ask: Ask) => Promise<IncomingMessage>;
  readonly ask: (ask: Ask) => Promise<Answer>;
  /** Sends JSON. */
  readonly post: (path: string, body: unknown) => Promise<Answer>;
}

export async function startTestServer(
  handlers: Partial<Handlers>,
  options: { readonly checkReplies?: boolean; readonly heartbeatMs?: number } = {},
): Promise<TestServer> {
  const socketPath = join(await makeTempDir(), 'run', 'banger.sock');
  const lines: string[] = [];
  const log = pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) });
  const running = await startServer({
    socketPath,
    handlers: { ...noHandlers(), ...handlers },
    log,
    logPath: '/var/log/banger-test.log',
    buildId: 'bundle-0123456789ab',
    uid: process.getuid?.() ?? 0,
    ...options,
  });
  const agent = new Agent({ keepAlive: true });
  let isClosed = false;
  const close = async (): Promise<void> => {
    if (isClosed) return;
    isClosed = true;
    await running.close();
  };
  onTestFinished(async () => {
    agent.destroy();
    await close();
  });
  const open = (ask: Ask): Promise<IncomingMessage> => send(socketPath, agent, ask);
  const ask = async (given: Ask): Promise<Answer> => {
    const reply = await open(given);
    return { status: reply.statusCode ?? 0, headers: reply.headers, text: await text(reply) };
  };
  return {
    socketPath,
    running: { close },
    logged: () => lines.map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>),
    open,
    ask,
    post: (path, body) =>
      ask({ method: 'POST', path, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  };
}

function send(socketPath: string, agent: Agent, ask: Ask): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const { method = 'GET', path, headers = {}, body, signal } = ask;
  const sent = httpRequest({ socketPath, agent, method, path, headers, ...(signal ? { signal } : {}) }, resolve);
  sent.on('error', reject);
  sent.end(body);
  return promise;
}
