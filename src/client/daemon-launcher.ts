/** Finds the daemon, starts it where there is none, and replaces one of another build. */
import { watch } from 'node:fs';
import type { DaemonStatus } from '../contracts/daemon.ts';
import { hasCode } from '../host/error-code.ts';
import { fitsSocket, type Paths } from '../host/paths.ts';
import { ensurePrivateDir, UnsafeDirError } from '../host/private-dir.ts';
import { ApiClient } from './api-client.ts';
import { ClientError } from './client-error.ts';

/** From the first try to a daemon that answers: it may have to make a network and to find its VMs again. */
const START_TIMEOUT_MS = 60_000;
/** A daemon that lives answers this at once. */
const PROBE_TIMEOUT_MS = 10_000;
/** Between two looks at a daemon that another command is starting, where no file event comes first. */
const LOOK_AGAIN_MS = 250;

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
  const checking = checkRuntimeDir(options.paths, options.uid);
  const deadline = Date.now() + (options.startTimeoutMs ?? START_TIMEOUT_MS);
  const connection = (status: DaemonStatus, started = false): Connection => ({
    client: new ApiClient({ socketPath: paths.daemonSocket, sameBuild: status.buildId === buildId }),
    status,
    started,
  });
  while (Date.now() < deadline) {
    // Side by side: what a socket in a folder that is not ours says is not looked at.
    const [status] = await Promise.all([probe(paths.daemonSocket), checking]);
    if (typeof status === 'object') {
      if (status.buildId === buildId || !options.autoStart) return connection(status);
      if (status.runningOperations > 0) {
        options.warn(
          `the daemon is of another build (${status.version}, ${status.buildId}) and has ` +
            `${status.runningOperations} operation(s) running; it is replaced when they have ended`,
        );
        return connection(status);
      }
      const { stopDaemon } = await import('./daemon-stop.ts');
      await stopDaemon(connection(status), 'replace');
      continue;
    }
    if (!options.autoStart) {
      throw new ClientError('DAEMON_UNREACHABLE', 'No daemon is running', { hint: '`banger daemon start` starts it.' });
    }
    // Loaded only now: it brings node:child_process, and most commands find a daemon.
    const { startDaemon } = await import('./daemon-start.ts');
    if ((await startDaemon(options, deadline)) === 'locked') {
      await changeIn(paths.runtimeDir, LOOK_AGAIN_MS);
      continue;
    }
    // Not compared with our build: where the sources were changed this very moment, the next command does.
    const own = await probe(paths.daemonSocket);
    if (typeof own === 'object') return connection(own, true);
  }
  const { startFailure } = await import('./daemon-start.ts');
  throw await startFailure(paths.daemonLog, 'did not start in time', {
    hint: `Another banger may hold ${paths.daemonLock}; see \`banger daemon logs\`.`,
  });
}

/** What serves at the socket: its status, `absent`, or `stopping`. */
async function probe(socketPath: string): Promise<DaemonStatus | 'absent' | 'stopping'> {
  try {
    const client = new ApiClient({ socketPath, sameBuild: true });
    return await client.call('daemonStatus', {}, { timeoutMs: PROBE_TIMEOUT_MS });
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    if (error.code === 'DAEMON_STOPPING') return 'stopping';
    if (hasCode(error.cause, 'ENOENT', 'ECONNREFUSED')) return 'absent';
    if (hasCode(error.cause, 'ECONNRESET', 'EPIPE')) return 'stopping';
    throw error;
  }
}

/**
 * The socket may lie below /tmp: who made its folder first could answer in the daemon's name.
 *
 * @throws ClientError DAEMON_UNREACHABLE, PATH_TOO_LONG.
 */
export async function checkRuntimeDir({ daemonSocket, runtimeDir }: Paths, uid: number): Promise<void> {
  if (!fitsSocket(daemonSocket)) {
    throw new ClientError('PATH_TOO_LONG', `${daemonSocket} is longer than the 107 bytes of a socket's path`);
  }
  try {
    await ensurePrivateDir(runtimeDir, uid);
  } catch (error) {
    if (!(error instanceof UnsafeDirError)) throw error;
    throw new ClientError('DAEMON_UNREACHABLE', `Not used: ${error.message}`, { hint: error.fix, cause: error });
  }
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
