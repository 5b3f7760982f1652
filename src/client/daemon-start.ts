import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { superviseAnnounced } from '../host/process.ts';
import { ClientError, readErrorBody } from './client-error.ts';
import type { LauncherOptions } from './daemon-launcher.ts';
import { readTail } from './log-file.ts';

/** The daemon's exit status where another one holds the lock (EX_TEMPFAIL, sysexits.h). */
const LOCKED_STATUS = 75;
const LOG_TAIL_LINES = 10;

/**
 * Starts a daemon and waits until it says that it serves.
 *
 * @param deadline in `ms` since the epoch.
 * @returns `locked` where another daemon holds the lock.
 * @throws ClientError what the daemon says why it cannot start; DAEMON_UNREACHABLE with the end of its log.
 */
export async function startDaemon(options: LauncherOptions, deadline: number): Promise<'ready' | 'locked'> {
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

/** DAEMON_UNREACHABLE with the last lines of the daemon's log. */
export async function startFailure(
  logPath: string,
  what: string,
  options: { readonly hint?: string } = {},
): Promise<ClientError> {
  const { lines: logTail } = await readTail(logPath, LOG_TAIL_LINES);
  return new ClientError('DAEMON_UNREACHABLE', `The daemon ${what}`, {
    ...options,
    details: { logPath, ...(logTail.length > 0 ? { logTail } : {}) },
  });
}
