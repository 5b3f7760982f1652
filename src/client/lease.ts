/** The lease of a VM that lives as long as we do: a connection that is held open. */
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiClient } from './api-client.ts';
import { ClientError } from './client-error.ts';
import type { Session } from './session.ts';

/** Between two looks for a daemon that has gone; it gives us a minute. */
const LOOK_AGAIN_MS = 1_000;

type LeaseSession = Pick<Session, 'upgrade' | 'paths'>;

/**
 * Takes the lease up and holds it, through restarts of the daemon, until it is disposed of. It starts no daemon: one that
 * was stopped stays so, and the next one waits for us or removes the VM.
 *
 * @throws ClientError where the VM is not there.
 */
export async function holdLease(session: LeaseSession, vmName: string): Promise<AsyncDisposable> {
  const letGo = new AbortController();
  let socket = await session.upgrade('vmLease', { name: vmName });
  const holding = (async (): Promise<void> => {
    for (;;) {
      await closed(socket, letGo.signal);
      const next = await takeUpAgain(session, vmName, letGo.signal);
      if (!next) return;
      socket = next;
    }
  })();
  return {
    async [Symbol.asyncDispose]() {
      letGo.abort();
      socket.destroy();
      await holding;
    },
  };
}

/** @returns undefined where the VM is gone, or nobody wants its lease any more. */
async function takeUpAgain(session: LeaseSession, name: string, signal: AbortSignal): Promise<Socket | undefined> {
  const client = new ApiClient({ socketPath: session.paths.daemonSocket, sameBuild: true });
  while (!signal.aborted) {
    try {
      return await client.upgrade('vmLease', { name }, signal);
    } catch (error) {
      if (signal.aborted) return undefined;
      if (!(error instanceof ClientError)) throw error;
      if (error.code !== 'DAEMON_UNREACHABLE' && error.code !== 'DAEMON_STOPPING') return undefined;
    }
    await sleep(LOOK_AGAIN_MS, undefined, { signal, ref: false }).catch(() => undefined);
  }
  return undefined;
}

async function closed(socket: Socket, signal: AbortSignal): Promise<void> {
  if (signal.aborted || socket.destroyed) return;
  // Read, so that its end is seen; it never says anything.
  socket.resume();
  await new Promise<void>((resolve) => {
    socket.once('close', () => resolve());
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
