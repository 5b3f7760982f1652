/** Connects to guests by SSH with our own key, accepting the one host key that was given to the guest. */
import type { Socket } from 'node:net';
import type { Client } from 'ssh2';
import { AppError } from '../../core/app-error.ts';
import type { GuestSession, GuestShell, GuestTarget } from '../../core/vms/ports.ts';
import { type Bounds, dial, hearGreeting, retry, settle } from './dial.ts';
import { SshGuestSession } from './guest-session.ts';

/** From the TCP connection to the accepted key; a guest in software needs seconds. */
const HANDSHAKE_TIMEOUT_MS = 30_000;
/** A connection is lost after two minutes without any answer. */
const KEEPALIVE_INTERVAL_MS = 15_000;
const KEEPALIVE_COUNT_MAX = 8;

/** @param options.privateKey gives the key that guests let in. */
export function createGuestShell(options: { readonly privateKey: () => Promise<string> }): GuestShell {
  return {
    async awaitGreeting(target, { timeoutMs }, signal) {
      await retry(target, { timeoutMs, signal }, (bounds) => hearGreeting(target, bounds));
    },
    async connect(target, { timeoutMs }, signal) {
      const privateKey = await options.privateKey();
      return retry(target, { timeoutMs, signal }, async (bounds) => {
        const socket = await dial(target, bounds);
        return socket instanceof Error ? socket : handshake(socket, { target, privateKey, bounds });
      });
    },
  };
}

/**
 * @returns the session, or why this attempt failed where another may do better.
 * @throws AppError GUEST_UNREACHABLE where the guest shows another host key.
 */
async function handshake(
  socket: Socket,
  {
    target,
    privateKey,
    bounds,
  }: { readonly target: GuestTarget; readonly privateKey: string; readonly bounds: Bounds },
): Promise<GuestSession | Error> {
  // Loaded at first use: a daemon whose VMs nobody touches does without its 7 MB.
  const { default: ssh2 } = await import('ssh2');
  const pinned = target.hostPublicKey.trim().split(/\s+/)[1] ?? '';
  const client = new ssh2.Client();
  let offered = pinned;
  const outcome = await settle<Client>(HANDSHAKE_TIMEOUT_MS, bounds, (finish) => {
    client.once('ready', () => finish(client));
    // Stays for good: what comes after the first failure needs a listener too.
    client.on('error', finish);
    client.once('close', () => finish(new AppError('GUEST_UNREACHABLE', 'the guest closed the connection')));
    client.connect({
      sock: socket,
      username: target.user,
      privateKey,
      // The key at once: the usual first attempt without any only costs a round trip.
      authHandler: ['publickey'],
      algorithms: { serverHostKey: ['ssh-ed25519'] },
      hostVerifier: (key: Buffer) => {
        offered = key.toString('base64');
        return offered === pinned;
      },
      readyTimeout: 0,
      keepaliveInterval: KEEPALIVE_INTERVAL_MS,
      keepaliveCountMax: KEEPALIVE_COUNT_MAX,
    });
    return () => undefined;
  });
  if (!(outcome instanceof Error)) return new SshGuestSession(outcome, socket);
  client.destroy();
  socket.destroy();
  if (offered === pinned) return outcome;
  throw new AppError(
    'GUEST_UNREACHABLE',
    `${target.address}:${target.port} has another host key than the guest was given.`,
    {
      hint: 'Something else answers at this address, or the guest replaced its key. Delete the VM and make it again.',
      details: { address: target.address, port: target.port, offered, pinned },
    },
  );
}
