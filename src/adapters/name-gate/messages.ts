/** What guests ask and what they are told: bytes in, facts or bytes out. Pure. */
import { decode, encode, type Answer, type Packet } from 'dns-packet';
import type { ToldAddresses } from '../../core/networks/ports.ts';
import type { Inquiry } from './upstream.ts';

const HEADER_BYTES = 12;
/** RFC 1035, 4.1.1. */
export const RCODE = { serverFailure: 2, noSuchName: 3 } as const;
const FLAGS = { response: 0x8000, opcode: 0x7800, recursionDesired: 0x0100, recursionAvailable: 0x0080 } as const;
/** A host name, and with it everything that a policy can allow. */
const HOST_NAME = /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/i;
/** What an answer may open at once; those of large sites have a dozen. */
const MAX_ADDRESSES = 64;
const MIN_PAYLOAD_BYTES = 512;
/** DNS flag day 2020: passes everywhere in one piece. */
const MAX_PAYLOAD_BYTES = 1232;

export interface GuestQuery {
  readonly id: number;
  /** Without a dot at its end. */
  readonly name: string;
  readonly inquiry: Inquiry;
}

/** @returns undefined for what is no question about one host name. */
export function readQuery(message: Buffer): GuestQuery | undefined {
  if (message.length < HEADER_BYTES || (message.readUInt16BE(2) & (FLAGS.response | FLAGS.opcode)) !== 0)
    return undefined;
  // Counted before anything is decoded: 65,535 records of nothing are not looked through.
  const [questions, answers, authorities, additionals] = [4, 6, 8, 10].map((at) => message.readUInt16BE(at));
  if (questions !== 1 || answers !== 0 || authorities !== 0 || (additionals ?? 0) > 4) return undefined;
  const packet = decodeLoosely(message);
  const [question] = packet?.questions ?? [];
  if (!question || question.class !== 'IN' || !HOST_NAME.test(question.name)) return undefined;
  const edns = packet?.additionals?.find((record) => record.type === 'OPT');
  const payloadBytes =
    edns && 'udpPayloadSize' in edns
      ? Math.min(Math.max(edns.udpPayloadSize, MIN_PAYLOAD_BYTES), MAX_PAYLOAD_BYTES)
      : undefined;
  return { id: message.readUInt16BE(0), name: question.name, inquiry: { question, payloadBytes } };
}

/** An answer that says no, and why. */
export function refusalOf({ id, inquiry }: GuestQuery, rcode: number): Buffer {
  const flags = FLAGS.recursionDesired | FLAGS.recursionAvailable | rcode;
  return encode({ type: 'response', id, flags, questions: [inquiry.question] });
}

/** The answer of a name server, under the number by which the guest asked. */
export function answerFor({ id }: GuestQuery, reply: Buffer): Buffer {
  const answer = Buffer.from(reply);
  answer.writeUInt16BE(id, 0);
  return answer;
}

/**
 * The IPv4 addresses in an answer, whichever of its names they belong to: an alias's are those of what it stands for.
 *
 * @returns undefined where the answer cannot be read: the guest shall not be told what we do not understand.
 */
export function addressesIn(reply: Buffer): ToldAddresses | undefined {
  const packet = decodeLoosely(reply);
  if (!packet) return undefined;
  const records = (packet.answers ?? []).filter(isAddress).slice(0, MAX_ADDRESSES);
  return { addresses: records.map(({ data }) => data), ttlS: Math.max(0, ...records.map(({ ttl }) => ttl ?? 0)) };
}

function isAddress(record: Answer): record is Extract<Answer, { type: 'A' }> {
  return record.type === 'A';
}

function decodeLoosely(message: Buffer): Packet | undefined {
  try {
    return decode(message);
  } catch (error) {
    // Whatever a decoder says of bytes that anybody may send, it means the same.
    if (error instanceof Error) return undefined;
    throw error;
  }
}
