/** Finds the daemon, starts it where there is none, and replaces one of another build. */
import { watch } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { dirname } from 'node:path';
import type { DaemonStatus } from '../contracts/daemon.ts';
import { fitsSocket, type Paths } from '../host/paths.ts';
import { ensurePrivateDir, UnsafeDirError } from '../host/private-dir.ts';
import { superviseAnnounced } from '../host/process.ts';
import { ApiClient } from './api-client.ts';
import { ClientError, isSystemError, readErrorBody } from './client-error.ts';
import { lastLines } from './daemon-log.ts';

/** The daemon's exit status where another one holds the lock (EX_TEMPFAIL, sysexits.h). */
const LOCKED_STATUS = 75;
/** From the first try to a daemon that answers: it may have to make a network and to find its VMs again. */
const START_TIMEOUT_MS = 60_000;
/** How long a daemon may take to end: it undoes what its operations have made. */
const STOP_TIMEOUT_MS = 60_000;
/** A daemon that lives answers this at once. */
const PROBE_TIMEOUT_MS = 10_000;
/** Between two looks at a daemon that another command is starting, where no file event comes first. */
const LOOK_AGAIN_MS = 250;
const LOG_TAIL_LINES = 10;

export interface LauncherOptions {
  readonly paths: Paths;
  readonly uid: number;
  readonly buildId: string;
  readonly program: readonly [string, ...string[]];
  /** Says something on stderr that is no error. */
  readonly warn: (text: string) => void;
  /** False: a daemon that does not run is DAEMON_UNREACHABLE. */
  readonly autoStart: boolean;
  readonly startTimeoutMs?: number;
}

export interface Connection {
  readonly client: ApiClient;
  readonly status: DaemonStatus;
  /** True where this call started the daemon. */
  readonly started: boolean;
}

/**
 * A connection to a daemon of our own build. Of two commands that come first together, one daemon wins and both are
 * served. A daemon of another build is replaced, unless operations run in it: then it is used with a warning.
 *
 * @throws ClientError DAEMON_UNREACHABLE, PATH_TOO_LONG, or what the daemon says why it cannot start.
 */
export async function connectDaemon(options: LauncherOptions): Promise<Connection> {
  const { paths, buildId } = options;
  await checkRuntimeDir(options);
  const deadline = Date.now() + (options.startTimeoutMs ?? START_TIMEOUT_MS);
  while (Date.now() < deadline) {
    const status = await probe(paths.daemonSocket);
    if (typeof status === 'object') {
      if (status.buildId === buildId) return { client: clientOf(options, true), status, started: false };
      if (status.runningOperations > 0) {
        options.warn(
          `the daemon is of another build (${status.version}, ${status.buildId}) and has ` +
            `${status.runningOperations} operation(s) running; it is replaced when they have ended`,
        );
        return { client: clientOf(options, false), status, started: false };
      }
      if (!options.autoStart) return { client: clientOf(options, false), status, started: false };
      await stopDaemon(clientOf(options, false), paths.daemonSocket, 'replace');
      continue;
    }
    if (!options.autoStart) {
      throw new ClientError('DAEMON_UNREACHABLE', 'No daemon is running', { hint: '`banger daemon start` starts it.' });
    }
    if ((await start(options, deadline)) === 'locked') {
      await changeIn(paths.runtimeDir, LOOK_AGAIN_MS);
      continue;
    }
    // Not compared with our build: where the sources were changed this very moment, the next command does.
    const own = await probe(paths.daemonSocket);
    if (typeof own === 'object')
      return { client: clientOf(options, own.buildId === buildId), status: own, started: true };
  }
  throw await startFailure(paths.daemonLog, 'did not start in time', {
    hint: `Another banger may hold ${paths.daemonLock}; see \`banger daemon logs\`.`,
  });
}

/**
 * Asks the daemon to stop and waits until it has let go of its socket.
 *
 * @throws ClientError DAEMON_UNREACHABLE where it does not in time.
 */
export async function stopDaemon(
  client: ApiClient,
  socketPath: string,
  reason: 'user' | 'replace',
): Promise<{ readonly pid: number; readonly runningVms: readonly string[] } | undefined> {
  // An open connection ends with the process, so nothing has to be asked again and again.
  const gone = Promise.withResolvers<void>();
  const witness = createConnection(socketPath);
  witness.on('error', () => gone.resolve());
  witness.on('close', () => gone.resolve());
  witness.resume();
  const timer = setTimeout(
    () =>
      gone.reject(new ClientError('DAEMON_UNREACHABLE', `The daemon did not stop within ${STOP_TIMEOUT_MS / 1000} s`)),
    STOP_TIMEOUT_MS,
  );
  // Refused below first where the request itself fails.
  gone.promise.catch(() => undefined);
  try {
    const reply = await client.call('daemonStop', { body: { reason } });
    await gone.promise;
    return reply;
  } catch (error) {
    // Somebody else stopped it between our two questions.
    if (error instanceof ClientError && error.code === 'DAEMON_STOPPING') {
      await gone.promise;
      return undefined;
    }
    if (error instanceof ClientError && isSystemError(error.cause, 'ENOENT', 'ECONNREFUSED', 'ECONNRESET')) {
      return undefined;
    }
    throw error;
  } finally {
    clearTimeout(timer);
    witness.destroy();
    client.close();
  }
}

function clientOf(options: LauncherOptions, sameBuild: boolean): ApiClient {
  return new ApiClient({ socketPath: options.paths.daemonSocket, sameBuild });
}

/** What serves at the socket: its status, `absent`, or `stopping`. */
async function probe(socketPath: string): Promise<DaemonStatus | 'absent' | 'stopping'> {
  const client = new ApiClient({ socketPath, sameBuild: true });
  try {
    return await client.call('daemonStatus', {}, { timeoutMs: PROBE_TIMEOUT_MS });
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    if (error.code === 'DAEMON_STOPPING') return 'stopping';
    if (isSystemError(error.cause, 'ENOENT', 'ECONNREFUSED')) return 'absent';
    if (isSystemError(error.cause, 'ECONNRESET', 'EPIPE')) return 'stopping';
    throw error;
  } finally {
    client.close();
  }
}

/** The socket may lie below /tmp: who made its folder first could answer in the daemon's name. */
async function checkRuntimeDir(options: LauncherOptions): Promise<void> {
  const { daemonSocket, runtimeDir } = options.paths;
  if (!fitsSocket(daemonSocket)) {
    throw new ClientError('PATH_TOO_LONG', `${daemonSocket} is longer than the 107 bytes of a socket's path`);
  }
  try {
    await ensurePrivateDir(runtimeDir, options.uid);
  } catch (error) {
    if (!(error instanceof UnsafeDirError)) throw error;
    throw new ClientError('DAEMON_UNREACHABLE', `Not used: ${error.message}`, { hint: error.fix, cause: error });
  }
}

async function start(options: LauncherOptions, deadline: number): Promise<'ready' | 'locked'> {
  const { paths } = options;
  await mkdir(dirname(paths.daemonLog), { recursive: true, mode: 0o700 });
  const daemon = await superviseAnnounced(options.program, { logPath: paths.daemonLog, cwd: '/' });
  const late = Symbol('late');
  const { promise: timeout, resolve } = Promise.withResolvers<typeof late>();
  const timer = setTimeout(() => resolve(late), Math.max(0, deadline - Date.now()));
  try {
    const line = await Promise.race([daemon.announced, timeout]);
    if (line === late) {
      // It holds the lock: left alone, it would keep every later command waiting.
      process.kill(daemon.pid, 'SIGTERM');
      throw await startFailure(paths.daemonLog, 'did not say in time that it is ready');
    }
    const announcement = readAnnouncement(line);
    if (announcement === 'ready') return 'ready';
    if (announcement) throw announcement;
    const { exitStatus, signal } = await daemon.exited;
    if (exitStatus === LOCKED_STATUS) return 'locked';
    throw await startFailure(paths.daemonLog, `ended with ${signal ?? `status ${exitStatus}`} before it was ready`);
  } finally {
    clearTimeout(timer);
  }
}

/** The daemon's one line: `{"ready":true,...}` or `{"error":{...}}`. */
function readAnnouncement(line: string | undefined): 'ready' | ClientError | undefined {
  if (line === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  if ('ready' in value && value.ready === true) return 'ready';
  const body = 'error' in value ? readErrorBody(value.error) : undefined;
  return body ? ClientError.fromBody(body) : undefined;
}

async function startFailure(
  logPath: string,
  what: string,
  options: { readonly hint?: string } = {},
): Promise<ClientError> {
  const logTail = await lastLines(logPath, LOG_TAIL_LINES);
  return new ClientError('DAEMON_UNREACHABLE', `The daemon ${what}`, {
    ...options,
    details: { logPath, ...(logTail.length > 0 ? { logTail } : {}) },
  });
}

/** Settles at the next change in a folder, or after a while. */
async function changeIn(dir: string, atMostMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const watcher = watch(dir, () => resolve());
  watcher.on('error', () => resolve());
  const timer = setTimeout(resolve, atMostMs);
  await promise;
  clearTimeout(timer);
  watcher.close();
}
