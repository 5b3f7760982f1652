/** TCP connections to a guest that may not be there yet. */
import { type Socket, connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError, abortCause, describe } from '../../core/app-error.ts';
import type { GuestTarget } from '../../core/vms/ports.ts';

export type Address = Pick<GuestTarget, 'address' | 'port'>;

/** A booting guest drops what it gets too early: a short wait and a new attempt beat TCP's own repeats. */
const DIAL_TIMEOUT_MS = 1_000;
const RETRY_AFTER_MS = 200;
/** From the connection to the greeting; sshd starts a process for it. */
const GREETING_TIMEOUT_MS = 10_000;
/** What may come before the greeting (RFC 4253, 4.2). */
const MAX_GREETING_BYTES = 16 * 1024;

export interface Bounds {
  readonly remainingMs: number;
  readonly signal: AbortSignal;
}

/**
 * Repeats an attempt until it gives something else than an Error.
 *
 * @throws AppError GUEST_UNREACHABLE with the last attempt's words once `timeoutMs` has passed; what an attempt throws.
 */
export async function retry<T>(
  target: Address,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
  attempt: (bounds: Bounds) => Promise<T | Error>,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    signal.throwIfAborted();
    const outcome = await attempt({ remainingMs: deadline - performance.now(), signal });
    if (!(outcome instanceof Error)) return outcome;
    signal.throwIfAborted();
    if (performance.now() + RETRY_AFTER_MS >= deadline) {
      const place = `${target.address}:${target.port}`;
      const seconds = Math.round(timeoutMs / 1000);
      throw new AppError(
        'GUEST_UNREACHABLE',
        `${place} did not answer by SSH within ${seconds} s: ${describe(outcome)}`,
        {
          details: { ...target, timeoutMs },
          cause: outcome,
        },
      );
    }
    await sleep(RETRY_AFTER_MS, undefined, { signal }).catch((error: unknown) => {
      throw abortCause(signal, error);
    });
  }
}

/** One connection attempt; why it failed, where it did. */
export async function dial(target: Address, bounds: Bounds): Promise<Socket | Error> {
  return settle(DIAL_TIMEOUT_MS, bounds, (finish) => {
    const socket = connect({ host: target.address, port: target.port });
    // Small packets must not wait for the acknowledgement of the one before.
    socket.setNoDelay(true);
    // Stays for good: a late failure of a socket that nobody waits for is no fault of ours.
    socket.on('error', finish);
    socket.once('connect', () => finish(socket));
    return (outcome) => {
      if (outcome instanceof Error) socket.destroy();
    };
  });
}

/** One attempt to hear `SSH-2.0-...`. */
export async function hearGreeting(target: Address, bounds: Bounds): Promise<true | Error> {
  const socket = await dial(target, bounds);
  if (socket instanceof Error) return socket;
  return settle(GREETING_TIMEOUT_MS, bounds, (finish) => {
    let heard = '';
    socket.on('error', finish);
    socket.once('close', () => finish(new AppError('GUEST_UNREACHABLE', 'the guest closed the connection')));
    socket.on('data', (chunk) => {
      heard += chunk.toString('latin1');
      if (/^SSH-(2\.0|1\.99)-[^\n]*\n/m.test(heard)) finish(true);
      else if (heard.length > MAX_GREETING_BYTES) finish(new AppError('GUEST_UNREACHABLE', 'no SSH server answers'));
    });
    return () => socket.destroy();
  });
}

/**
 * Waits for an outcome, the deadline or the signal, whatever comes first, then releases.
 *
 * @param start begins the work and returns what releases it.
 */
export async function settle<T>(
  timeoutMs: number,
  { remainingMs, signal }: Bounds,
  start: (finish: (outcome: T | Error) => void) => (outcome: T | Error) => void,
): Promise<T | Error> {
  const { promise, resolve } = Promise.withResolvers<T | Error>();
  const fail = (words: string): void => resolve(new AppError('GUEST_UNREACHABLE', words));
  const onAbort = (): void => fail('cancelled');
  const timer = setTimeout(() => fail('no answer'), Math.max(1, Math.min(timeoutMs, remainingMs)));
  signal.addEventListener('abort', onAbort, { once: true });
  const release = start(resolve);
  const outcome = await promise;
  clearTimeout(timer);
  signal.removeEventListener('abort', onAbort);
  release(outcome);
  return outcome;
}
