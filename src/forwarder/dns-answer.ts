/** A name server's answers for the zone `vm`: bytes in, bytes out. Pure. */
import { type Answer, AUTHORITATIVE_ANSWER, decode, encode, type Packet, type Question } from 'dns-packet';
import { DNS_PROBE_LABEL, DNS_ZONE } from '../contracts/forwarding.ts';

export interface Zone {
  /** The name server's own address: that of the zone itself and of the probe name. */
  readonly serverAddress: string;
  readonly serial: number;
  /** Addresses of VMs by name, in lower case. */
  readonly addresses: ReadonlyMap<string, string>;
}

/** A VM that is deleted and made anew may get another address. `s`. */
const TTL_S = 5;
/** How long it may be remembered that there is no such name: the VM may be created the next moment. `s`. */
const NEGATIVE_TTL_S = 1;

const HEADER_BYTES = 12;
/** RFC 1035, 4.2.1: what every client takes over UDP. */
const PLAIN_UDP_BYTES = 512;
/** What we take, and give to those who take more: it passes everywhere in one piece (DNS flag day 2020). */
const EDNS_UDP_BYTES = 1232;

/** RFC 1035, 4.1.1; BADVERS is that of RFC 6891, whose upper bits stand in the OPT record. */
const RCODE = { ok: 0, malformed: 1, noSuchName: 3, notImplemented: 4, refused: 5, badVersion: 16 } as const;
const FLAGS = { response: 0x8000, opcode: 0x7800, truncated: 0x0200, recursionDesired: 0x0100 } as const;
/** DNSSEC answers are welcome (RFC 3225): given back as it came. */
const DNSSEC_OK = 0x8000;

interface Reply {
  readonly rcode: number;
  readonly answers?: Answer[];
  readonly authorities?: Answer[];
}

/**
 * Answers one message.
 *
 * @param transport decides how long an answer may be; a longer one is cut, and asked for again over TCP.
 * @returns undefined for what must not be answered: replies, and what is too short to have a sender's number.
 */
export function answerMessage(message: Buffer, zone: Zone, transport: 'udp' | 'tcp'): Buffer | undefined {
  if (message.length < HEADER_BYTES) return undefined;
  const flags = message.readUInt16BE(2);
  if ((flags & FLAGS.response) !== 0) return undefined;
  if ((flags & FLAGS.opcode) !== 0) return headerOnly(message, RCODE.notImplemented);
  const query = readQuery(message);
  if (!query) return headerOnly(message, RCODE.malformed);
  const { question, edns } = query;
  const reply: Reply = edns && edns.ednsVersion !== 0 ? { rcode: RCODE.badVersion } : answerQuestion(question, zone);
  const packet: Packet = {
    type: 'response',
    id: message.readUInt16BE(0),
    flags: (flags & FLAGS.recursionDesired) | (reply.rcode & 0xf) | (isRefusal(reply) ? 0 : AUTHORITATIVE_ANSWER),
    questions: [question],
    answers: reply.answers ?? [],
    authorities: reply.authorities ?? [],
    additionals: edns ? [optRecord(edns.flags, reply.rcode)] : [],
  };
  const whole = encode(packet);
  const limit = edns ? Math.min(Math.max(edns.udpPayloadSize, PLAIN_UDP_BYTES), EDNS_UDP_BYTES) : PLAIN_UDP_BYTES;
  if (transport === 'tcp' || whole.length <= limit) return whole;
  return encode({ ...packet, flags: (packet.flags ?? 0) | FLAGS.truncated, answers: [], authorities: [] });
}

function isRefusal({ rcode }: Reply): boolean {
  return rcode === RCODE.refused || rcode === RCODE.badVersion;
}

type OptRecord = Extract<Answer, { type: 'OPT' }>;

interface Query {
  readonly question: Question;
  /** The OPT record of RFC 6891, where the client knows it. */
  readonly edns: OptRecord | undefined;
}

/** @returns undefined where the message is no query that we could answer. */
function readQuery(message: Buffer): Query | undefined {
  // Counted before anything is decoded: 65,535 records of nothing are not looked through.
  const [questions, answers, authorities, additionals] = [4, 6, 8, 10].map((at) => message.readUInt16BE(at));
  if (questions !== 1 || answers !== 0 || (authorities ?? 0) > 1 || (additionals ?? 0) > 4) return undefined;
  let packet: Packet;
  try {
    packet = decode(message);
  } catch (error) {
    // Whatever a decoder says of bytes that anybody may send, it means the same.
    if (error instanceof Error) return undefined;
    throw error;
  }
  const [question] = packet.questions ?? [];
  const options = (packet.additionals ?? []).filter((record): record is OptRecord => record.type === 'OPT');
  if (!question || options.length > 1) return undefined;
  // The question is given back: a name that cannot be written as it came (a dot inside a label) is none of ours.
  const written = encode({ questions: [question] }).subarray(HEADER_BYTES);
  if (!message.subarray(HEADER_BYTES, HEADER_BYTES + written.length).equals(written)) return undefined;
  return { question, edns: options[0] };
}

function answerQuestion(question: Question, zone: Zone): Reply {
  const name = question.name.toLowerCase();
  const labels = name.split('.');
  // AXFR and IXFR: nobody copies the zone.
  if (labels.at(-1) !== DNS_ZONE || question.class !== 'IN' || question.type.endsWith('XFR')) {
    return { rcode: RCODE.refused };
  }
  const soa = soaRecord(zone.serial);
  if (name === DNS_ZONE && question.type === 'SOA') return { rcode: RCODE.ok, answers: [soa] };
  if (name === DNS_ZONE && question.type === 'NS') return { rcode: RCODE.ok, answers: [nsRecord()] };
  const address = addressOf(labels, zone);
  if (address === undefined) return { rcode: RCODE.noSuchName, authorities: [soa] };
  if (!['A', 'ANY'].includes(question.type)) return { rcode: RCODE.ok, authorities: [soa] };
  // The name as it was asked for: some clients mix its case, and compare.
  return { rcode: RCODE.ok, answers: [{ type: 'A', name: question.name, ttl: TTL_S, class: 'IN', data: address }] };
}

/** Names below a VM's are the VM's own, so that it can serve several sites: `app.calm-otter.vm`. */
function addressOf(labels: readonly string[], zone: Zone): string | undefined {
  const [label] = labels.slice(-2, -1);
  if (label === undefined || (label === DNS_PROBE_LABEL && labels.length === 2)) return zone.serverAddress;
  return zone.addresses.get(label);
}

/** As RFC 6303 gives it for zones that exist on one host alone, with shorter times. */
function soaRecord(serial: number): Answer {
  const data = { mname: DNS_ZONE, rname: 'nobody.invalid', serial, refresh: 3600, retry: 1200, expire: 604_800 };
  return {
    type: 'SOA',
    name: DNS_ZONE,
    ttl: NEGATIVE_TTL_S,
    class: 'IN',
    data: { ...data, minimum: NEGATIVE_TTL_S },
  };
}

function nsRecord(): Answer {
  return { type: 'NS', name: DNS_ZONE, ttl: TTL_S, class: 'IN', data: DNS_ZONE };
}

function optRecord(flags: number, rcode: number): Answer {
  return {
    type: 'OPT',
    name: '.',
    udpPayloadSize: EDNS_UDP_BYTES,
    extendedRcode: rcode >> 4,
    ednsVersion: 0,
    flags: flags & DNSSEC_OK,
    flag_do: (flags & DNSSEC_OK) !== 0,
    options: [],
  };
}

/** Number, opcode and what went wrong, and nothing that could not be read. */
function headerOnly(message: Buffer, rcode: number): Buffer {
  const reply = Buffer.alloc(HEADER_BYTES);
  message.copy(reply, 0, 0, 2);
  const kept = message.readUInt16BE(2) & (FLAGS.opcode | FLAGS.recursionDesired);
  reply.writeUInt16BE(FLAGS.response | kept | rcode, 2);
  return reply;
}
