/** Answers for names on loopback, over UDP and TCP. */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { DNS_PORT } from '../contracts/forwarding.ts';
import { errorCode } from '../host/error-code.ts';
import { answerMessage, type Zone } from './dns-answer.ts';

/** The usual port, for who has no other way of naming a server, where it is free and allowed; and ours. */
const PORTS = [53, DNS_PORT] as const;

const MAX_TCP_CONNECTIONS = 64;
const TCP_IDLE_TIMEOUT_MS = 5_000;
/** A query has one name; what is longer is none. */
const MAX_TCP_MESSAGE_BYTES = 4096;

export class DnsServer {
  #zone: Zone | undefined;
  readonly #open = new Map<number, { readonly udp: UdpSocket; readonly tcp: Server }>();

  /** Answers by this zone from now on. Binds what is not bound yet. @returns the ports on which it answers. */
  async serve(zone: Zone): Promise<readonly number[]> {
    this.#zone = zone;
    for (const port of PORTS) if (!this.#open.has(port)) await this.#bind(zone.serverAddress, port);
    return [...this.#open.keys()];
  }

  /** Both transports, or none: who gets no answer over UDP would not ask again. */
  async #bind(address: string, port: number): Promise<void> {
    const udp = createSocket('udp4', (message, client) => {
      const reply = this.#answer(message, 'udp');
      if (reply) udp.send(reply, client.port, client.address);
    });
    const tcp = createServer({ allowHalfOpen: true }, (socket) => void this.#converse(socket));
    tcp.maxConnections = MAX_TCP_CONNECTIONS;
    try {
      udp.bind(port, address);
      await once(udp, 'listening');
      tcp.listen(port, address);
      await once(tcp, 'listening');
    } catch (error) {
      udp.close();
      tcp.close();
      // In use or not permitted: the other port may do, and whoever gave the order is told which ones are open.
      if (errorCode(error) !== undefined) return;
      throw error;
    }
    // A client that is gone before its answer, or one too many for our descriptors: the next one has its own.
    for (const socket of [udp, tcp]) socket.on('error', () => undefined);
    this.#open.set(port, { udp, tcp });
  }

  async #converse(socket: Socket): Promise<void> {
    // Also for who never reads: what is written to it stays unread, and nothing moves.
    socket.setTimeout(TCP_IDLE_TIMEOUT_MS, () => socket.destroy());
    let received = Buffer.alloc(0);
    try {
      for await (const chunk of socket) {
        received = Buffer.concat([received, chunk as Buffer]);
        for (let end = messageEnd(received); end !== undefined; end = messageEnd(received)) {
          if (end > MAX_TCP_MESSAGE_BYTES) return;
          if (end > received.length) break;
          const reply = this.#answer(received.subarray(2, end), 'tcp');
          received = received.subarray(end);
          if (reply && !socket.write(withLength(reply))) await once(socket, 'drain');
        }
      }
      socket.end();
    } catch (error) {
      // Broken off by the client, or for its silence: there is nobody to tell.
      if (!(error instanceof Error)) throw error;
      socket.destroy();
    }
  }

  #answer(message: Buffer, transport: 'udp' | 'tcp'): Buffer | undefined {
    return this.#zone && answerMessage(message, this.#zone, transport);
  }
}

/** RFC 1035, 4.2.2: a message's size comes in two bytes before it. @returns undefined while they have not come. */
function messageEnd(received: Buffer): number | undefined {
  return received.length < 2 ? undefined : 2 + received.readUInt16BE(0);
}

function withLength(message: Buffer): Buffer {
  const size = Buffer.alloc(2);
  size.writeUInt16BE(message.length);
  return Buffer.concat([size, message]);
}
