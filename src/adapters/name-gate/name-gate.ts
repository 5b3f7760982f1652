/** Answers guests that reach only some hosts, over UDP and TCP, on the bridge's own address. */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { AppError, describe } from '../../core/app-error.ts';
import type { NameGate, NameGateGuests } from '../../core/networks/ports.ts';
import { errorCode } from '../../host/error-code.ts';
import { frameLength, withLength } from './frames.ts';
import { addressesIn, answerFor, type GuestQuery, RCODE, readQuery, refusalOf } from './messages.ts';
import { askServers } from './upstream.ts';

/** Beside that of the forwarder's own name server, which is on loopback. */
const GATE_PORT = 5378;

/** Questions that wait for an answer; what is beyond is not heard, and asked again by who means it. */
const MAX_WAITING = 128;
const MAX_WAITING_OF_GUEST = 16;
const MAX_TCP_CONNECTIONS = 64;
const TCP_IDLE_TIMEOUT_MS = 5_000;
/** A query has one name; what is longer is none. */
const MAX_TCP_MESSAGE_BYTES = 4096;

type Transport = 'udp' | 'tcp';

/**
 * Implements `NameGate`. A name that a guest may not ask for does not exist for it, and is not passed on to anybody: a
 * question can carry what a guest knows. An allowed one is asked for anew, and the guest hears the answer once its
 * addresses are open to it.
 */
export class DnsNameGate implements NameGate {
  readonly port = GATE_PORT;
  #guests: NameGateGuests | undefined;
  #opening: Promise<void> | undefined;
  #open: { readonly udp: UdpSocket; readonly tcp: Server } | undefined;
  readonly #connections = new Set<Socket>();
  /** By the guest's address. */
  readonly #waiting = new Map<string, number>();
  #waitingCount = 0;

  open(address: string, guests: NameGateGuests): Promise<void> {
    this.#guests = guests;
    this.#opening ??= this.#bind(address).catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  async close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    this.#opening = undefined;
    if (!open) return;
    for (const connection of this.#connections) connection.destroy();
    await Promise.all([
      new Promise<void>((resolve) => open.udp.close(() => resolve())),
      new Promise<void>((resolve) => open.tcp.close(() => resolve())),
    ]);
  }

  async #bind(address: string): Promise<void> {
    const udp = createSocket('udp4', (message, client) => {
      void this.#answer(message, client.address, 'udp').then((reply) => {
        // Closed meanwhile: the guest asks again.
        if (reply && this.#open?.udp === udp) udp.send(reply, client.port, client.address);
      });
    });
    const tcp = createServer({ allowHalfOpen: true }, (socket) => void this.#converse(socket));
    tcp.maxConnections = MAX_TCP_CONNECTIONS;
    try {
      udp.bind(GATE_PORT, address);
      await once(udp, 'listening');
      tcp.listen(GATE_PORT, address);
      await once(tcp, 'listening');
    } catch (error) {
      udp.close();
      tcp.close();
      if (errorCode(error) === undefined) throw error;
      throw new AppError('NETWORK_UNAVAILABLE', `Names cannot be answered for at ${address}: ${describe(error)}`, {
        hint: `Something else has port ${GATE_PORT} of ${address}: end it, or give the VM --egress open or none.`,
        details: { address, port: GATE_PORT },
        cause: error,
      });
    }
    // A client that is gone before its answer, or one too many for our descriptors: the next one has its own.
    for (const socket of [udp, tcp]) socket.on('error', () => undefined);
    this.#open = { udp, tcp };
  }

  async #converse(socket: Socket): Promise<void> {
    const guest = socket.remoteAddress ?? '';
    this.#connections.add(socket);
    socket.once('close', () => this.#connections.delete(socket));
    // Also for who never reads: what is written to it stays unread, and nothing moves.
    socket.setTimeout(TCP_IDLE_TIMEOUT_MS, () => socket.destroy());
    let received = Buffer.alloc(0);
    try {
      for await (const chunk of socket) {
        received = Buffer.concat([received, chunk as Buffer]);
        for (let end = frameLength(received); end !== undefined; end = frameLength(received)) {
          if (end > MAX_TCP_MESSAGE_BYTES) return;
          if (end > received.length) break;
          const reply = await this.#answer(received.subarray(2, end), guest, 'tcp');
          received = received.subarray(end);
          if (reply && !socket.write(withLength(reply))) await once(socket, 'drain');
        }
      }
      socket.end();
    } catch (error) {
      // Broken off by the guest, or for its silence: there is nobody to tell.
      if (!(error instanceof Error)) throw error;
      socket.destroy();
    }
  }

  async #answer(message: Buffer, guest: string, transport: Transport): Promise<Buffer | undefined> {
    const query = readQuery(message);
    const guests = this.#guests;
    if (!query || !guests) return undefined;
    if (!guests.mayAsk(guest, query.name)) return refusalOf(query, RCODE.noSuchName);
    const ofGuest = this.#waiting.get(guest) ?? 0;
    if (this.#waitingCount >= MAX_WAITING || ofGuest >= MAX_WAITING_OF_GUEST) return undefined;
    this.#waiting.set(guest, ofGuest + 1);
    this.#waitingCount += 1;
    try {
      return await askFor(query, { guest, guests, transport });
    } catch (error) {
      // Its way could not be opened: it is told of no address that it cannot reach.
      if (error instanceof Error) return refusalOf(query, RCODE.serverFailure);
      throw error;
    } finally {
      this.#waitingCount -= 1;
      const left = (this.#waiting.get(guest) ?? 1) - 1;
      if (left === 0) this.#waiting.delete(guest);
      else this.#waiting.set(guest, left);
    }
  }
}

async function askFor(
  query: GuestQuery,
  {
    guest,
    guests,
    transport,
  }: { readonly guest: string; readonly guests: NameGateGuests; readonly transport: Transport },
): Promise<Buffer> {
  const reply = await askServers(await guests.nameServers(), query.inquiry, transport);
  const told = reply && addressesIn(reply);
  if (!reply || !told) return refusalOf(query, RCODE.serverFailure);
  await guests.learn(guest, told);
  return answerFor(query, reply);
}
