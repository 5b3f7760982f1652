import { setTimeout as delay } from 'node:timers/promises';
import { hasCode } from '../host/error-code.ts';
import { identifyProcess, isAlive, type ProcessIdentity } from '../host/process-identity.ts';
import { ClientError } from './client-error.ts';
import type { Connection } from './daemon-launcher.ts';

/** How long a daemon may take to end: it undoes what its operations have made. */
const STOP_TIMEOUT_MS = 60_000;
/** Between two looks whether its process is gone; a process that is no child of ours tells nobody. */
const LOOK_AGAIN_MS = 25;

interface Stopped {
  readonly pid: number;
  /** VMs that go on running. */
  readonly runningVms: readonly string[];
}

/**
 * Asks the daemon to stop and waits until its process is gone.
 *
 * @returns what it said; undefined where somebody else had stopped it.
 * @throws ClientError DAEMON_UNREACHABLE where it does not end in time.
 */
export async function stopDaemon(
  { client, status }: Connection,
  reason: 'user' | 'replace',
): Promise<Stopped | undefined> {
  const daemon = await identifyProcess(status.pid);
  let reply: Stopped | undefined;
  try {
    reply = await client.call('daemonStop', { body: { reason } });
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    const wasStopped = hasCode(error.cause, 'ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE');
    if (error.code !== 'DAEMON_STOPPING' && !wasStopped) throw error;
  }
  if (daemon) await waitForEnd(daemon);
  return reply;
}

async function waitForEnd(daemon: ProcessIdentity): Promise<void> {
  const deadline = Date.now() + STOP_TIMEOUT_MS;
  while (await isAlive(daemon)) {
    if (Date.now() > deadline) {
      throw new ClientError('DAEMON_UNREACHABLE', `The daemon did not end within ${STOP_TIMEOUT_MS / 1000} s`, {
        details: { pid: daemon.pid },
      });
    }
    await delay(LOOK_AGAIN_MS);
  }
}
