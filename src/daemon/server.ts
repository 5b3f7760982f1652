/**
 * The daemon's server on its unix socket. Who may speak to it is decided by the file system: the socket is 0600 in a
 * folder that is ours and 0700. (Node has no way to ask for SO_PEERCRED; a check of the peer's uid is not made.)
 */
import { lstat, unlink } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { dirname } from 'node:path';
import { once } from 'node:events';
import { getRequestListener } from '@hono/node-server';
import { AppError, describe } from '../core/app-error.ts';
import { hasCode } from '../host/error-code.ts';
import { fitsSocket, SOCKET_PATH_MAX_BYTES } from '../host/paths.ts';
import { errorResponse } from './errors.ts';
import type { Log } from './log.ts';
import type { Handlers } from './route-handlers.ts';
import { createRouter } from './router.ts';
import { ensureRuntimeDir } from './runtime-dir.ts';
import { serveTunnels, wantsTunnel } from './tunnel.ts';

const HEARTBEAT_MS = 15_000;

/** From `close` to the end of requests that are still being answered. */
const CLOSE_GRACE_MS = 2_000;

export interface ServerOptions {
  readonly socketPath: string;
  readonly handlers: Handlers;
  readonly log: Log;
  /** Where the log lies, for clients that hit a fault of ours. */
  readonly logPath: string;
  readonly buildId: string;
  /** Ours, and the only one that may own the socket's folder. */
  readonly uid: number;
  /** Checks replies by the route table too: for tests. */
  readonly checkReplies?: boolean;
  readonly heartbeatMs?: number;
}

export interface RunningServer {
  /** Takes no more requests, ends streams and tunnels, waits a moment for what is being answered; the socket is gone then. */
  close(): Promise<void>;
}

/**
 * Listens on the socket. The caller holds the daemon's lock: a socket that lies there is a dead daemon's.
 *
 * @throws AppError PATH_TOO_LONG, FOLDER_UNSAFE.
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { socketPath } = options;
  await prepareSocketPath(socketPath, options.uid);
  const closing = new AbortController();
  const router = createRouter({
    handlers: options.handlers,
    log: options.log,
    logPath: options.logPath,
    buildId: options.buildId,
    closing: closing.signal,
    heartbeatMs: options.heartbeatMs ?? HEARTBEAT_MS,
    checkReplies: options.checkReplies ?? false,
  });
  const listener = getRequestListener((request) => router.fetch(request, {}), {
    hostname: 'banger',
    overrideGlobalObjects: false,
    errorHandler: (error) =>
      errorResponse(new AppError('REQUEST_INVALID', `Not a request we can read: ${describe(error)}`)),
  });
  const server = createServer({ shouldUpgradeCallback: wantsTunnel }, (request, response) => {
    // A connection that becomes idle while we close would keep us until its keep-alive time is over.
    response.once('close', () => {
      if (closing.signal.aborted) setImmediate(() => server.closeIdleConnections());
    });
    void listener(request, response);
  });
  serveTunnels(server, router, closing.signal);
  await listen(server, socketPath);
  return { close: () => closeServer(server, closing) };
}

async function prepareSocketPath(path: string, uid: number): Promise<void> {
  if (!fitsSocket(path)) {
    throw new AppError('PATH_TOO_LONG', `${path} has more than ${SOCKET_PATH_MAX_BYTES} bytes: no socket fits there`, {
      details: { path, maxBytes: SOCKET_PATH_MAX_BYTES },
    });
  }
  await ensureRuntimeDir(dirname(path), uid);
  await removeDeadSocket(path);
}

async function removeDeadSocket(path: string): Promise<void> {
  try {
    if (!(await lstat(path)).isSocket()) {
      throw new AppError('FOLDER_UNSAFE', `${path} is there and is no socket`, { details: { path } });
    }
    await unlink(path);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}

async function listen(server: Server, socketPath: string): Promise<void> {
  const listening = once(server, 'listening');
  // The umask holds for the whole process, but `listen` binds before it returns: nothing else comes in between, and
  // the socket never has another mode.
  const umask = process.umask(0o177);
  try {
    server.listen(socketPath);
  } finally {
    process.umask(umask);
  }
  await listening;
}

async function closeServer(server: Server, closing: AbortController): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  closing.abort(new AppError('DAEMON_STOPPING', 'The daemon is stopping'));
  server.closeIdleConnections();
  const deadline = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS);
  try {
    await closed;
  } finally {
    clearTimeout(deadline);
  }
}
