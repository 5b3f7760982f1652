/** One question to the host's name servers. */
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { encode, type Question } from 'dns-packet';
import { frameLength, withLength } from './frames.ts';

export interface Inquiry {
  readonly question: Question;
  /** What the asker takes over UDP, where it said so (RFC 6891). */
  readonly payloadBytes: number | undefined;
}

const DNS_PORT = 53;
/** Of one server; a resolver asks anew after five seconds. */
const TIMEOUT_MS = 2_500;
const HEADER_BYTES = 12;
const RECURSION_DESIRED = 0x0100;
const RESPONSE = 0x8000;

/**
 * Asks one server after the other, each with a number and a port of their own, so that nobody else can answer.
 *
 * @returns the answer as it came, undefined where none came in time.
 */
export async function askServers(
  servers: readonly string[],
  inquiry: Inquiry,
  transport: 'udp' | 'tcp',
): Promise<Buffer | undefined> {
  const query = queryOf(inquiry);
  for (const server of servers) {
    const reply = await (transport === 'udp' ? askByUdp : askByTcp)(server, query, AbortSignal.timeout(TIMEOUT_MS));
    if (reply) return reply;
  }
  return undefined;
}

/** Nothing of the asker's own message goes on but its question. */
function queryOf({ question, payloadBytes }: Inquiry): Buffer {
  return encode({
    type: 'query',
    id: randomInt(2 ** 16),
    flags: RECURSION_DESIRED,
    questions: [question],
    additionals:
      payloadBytes === undefined
        ? []
        : [
            {
              type: 'OPT',
              name: '.',
              udpPayloadSize: payloadBytes,
              extendedRcode: 0,
              ednsVersion: 0,
              flags: 0,
              flag_do: false,
              options: [],
            },
          ],
  });
}

async function askByUdp(server: string, query: Buffer, signal: AbortSignal): Promise<Buffer | undefined> {
  const socket = createSocket('udp4');
  try {
    socket.connect(DNS_PORT, server);
    await once(socket, 'connect', { signal });
    socket.send(query);
    for (;;) {
      const [reply] = (await once(socket, 'message', { signal })) as [Buffer];
      if (answers(reply, query)) return reply;
    }
  } catch (error) {
    // No way, nobody there, or no answer in time: the next server is asked.
    if (error instanceof Error) return undefined;
    throw error;
  } finally {
    socket.close();
  }
}

async function askByTcp(server: string, query: Buffer, signal: AbortSignal): Promise<Buffer | undefined> {
  const socket = connect({ host: server, port: DNS_PORT, signal });
  try {
    socket.write(withLength(query));
    let received = Buffer.alloc(0);
    for await (const chunk of socket) {
      received = Buffer.concat([received, chunk as Buffer]);
      const end = frameLength(received);
      if (end === undefined || received.length < end) continue;
      const reply = received.subarray(2, end);
      return answers(reply, query) ? reply : undefined;
    }
    return undefined;
  } catch (error) {
    if (error instanceof Error) return undefined;
    throw error;
  } finally {
    socket.destroy();
  }
}

/** The number and the question are ours (RFC 5452, 9.1); a server gives the question back as it came. */
function answers(reply: Buffer, query: Buffer): boolean {
  if (reply.length < HEADER_BYTES || (reply.readUInt16BE(2) & RESPONSE) === 0) return false;
  if (reply.readUInt16BE(0) !== query.readUInt16BE(0)) return false;
  const questionEnd = query.indexOf(0, HEADER_BYTES) + 5;
  return reply.subarray(HEADER_BYTES, questionEnd).equals(query.subarray(HEADER_BYTES, questionEnd));
}
