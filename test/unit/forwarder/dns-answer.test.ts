import { type Answer, decode, encode, type Question } from 'dns-packet';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { answerMessage, type Zone } from '../../../src/forwarder/dns-answer.ts';

const ZONE: Zone = {
  serverAddress: '127.77.0.9',
  serial: 7,
  addresses: new Map([
    ['calm-otter', '127.77.4.2'],
    ['vm', '127.77.4.3'],
  ]),
};
const OPT: Answer = {
  type: 'OPT',
  name: '.',
  udpPayloadSize: 1400,
  extendedRcode: 0,
  ednsVersion: 0,
  flags: 0,
  flag_do: false,
  options: [],
};
const RCODES = ['ok', 'malformed', 'failed', 'no such name', 'not implemented', 'refused'];

interface Asked {
  readonly name: string;
  readonly type?: string;
  readonly class?: string;
  readonly additionals?: Answer[];
  readonly flags?: number;
}

function query({ name, type = 'A', class: klass = 'IN', additionals = [], flags = 0x0100 }: Asked): Buffer {
  return encode({ type: 'query', id: 4711, flags, questions: [{ name, type, class: klass } as Question], additionals });
}

function ask(asked: Asked, transport: 'udp' | 'tcp' = 'udp') {
  const bytes = answerMessage(query(asked), ZONE, transport);
  if (!bytes) throw new Error('it was not answered');
  const packet = decode(bytes);
  const data = (records: Answer[] | undefined): unknown[] =>
    (records ?? []).map((record) => [record.type, record.name, 'data' in record ? record.data : '']);
  return {
    bytes,
    packet,
    rcode: RCODES[bytes.readUInt16BE(2) & 0xf],
    answers: data(packet.answers),
    authorities: data(packet.authorities),
  };
}

const SOA = [
  'SOA',
  'vm',
  { mname: 'vm', rname: 'nobody.invalid', serial: 7, refresh: 3600, retry: 1200, expire: 604_800, minimum: 1 },
];

describe('what is asked, and what is answered', () => {
  test.each([
    [{ name: 'calm-otter.vm' }, 'ok', [['A', 'calm-otter.vm', '127.77.4.2']], []],
    [{ name: 'Calm-OTTER.Vm' }, 'ok', [['A', 'Calm-OTTER.Vm', '127.77.4.2']], []],
    [{ name: 'calm-otter.vm', type: 'ANY' }, 'ok', [['A', 'calm-otter.vm', '127.77.4.2']], []],
    [{ name: 'app.calm-otter.vm' }, 'ok', [['A', 'app.calm-otter.vm', '127.77.4.2']], []],
    [{ name: 'vm.vm' }, 'ok', [['A', 'vm.vm', '127.77.4.3']], []],
    [{ name: '_banger.vm' }, 'ok', [['A', '_banger.vm', '127.77.0.9']], []],
    [{ name: 'x._banger.vm' }, 'no such name', [], [SOA]],
    [{ name: 'calm-otter.vm', type: 'AAAA' }, 'ok', [], [SOA]],
    [{ name: 'calm-otter.vm', type: 'MX' }, 'ok', [], [SOA]],
    // HTTPS: browsers ask for it before every A, and the library does not know it by name.
    [{ name: 'calm-otter.vm', type: 'UNKNOWN_65' }, 'ok', [], [SOA]],
    [{ name: 'calm-otter.vm', type: 'SOA' }, 'ok', [], [SOA]],
    [{ name: 'nobody.vm' }, 'no such name', [], [SOA]],
    [{ name: 'nobody.vm', type: 'AAAA' }, 'no such name', [], [SOA]],
    [{ name: '__proto__.vm' }, 'no such name', [], [SOA]],
    [{ name: 'vm', type: 'SOA' }, 'ok', [SOA], []],
    [{ name: 'vm', type: 'NS' }, 'ok', [['NS', 'vm', 'vm']], []],
    [{ name: 'vm' }, 'ok', [['A', 'vm', '127.77.0.9']], []],
    [{ name: 'vm', type: 'TXT' }, 'ok', [], [SOA]],
    [{ name: 'vm', type: 'AXFR' }, 'refused', [], []],
    [{ name: 'calm-otter.vm', class: 'CH' }, 'refused', [], []],
    [{ name: 'example.com' }, 'refused', [], []],
    [{ name: 'calm-ottervm' }, 'refused', [], []],
    [{ name: 'vm.example' }, 'refused', [], []],
    [{ name: '.', type: 'NS' }, 'refused', [], []],
  ] as const)('%j is %s', (asked, rcode, answers, authorities) => {
    const reply = ask(asked);
    expect(reply).toMatchObject({ rcode, answers, authorities });
    expect(reply.packet).toMatchObject({ id: 4711, flag_qr: true, flag_rd: true, flag_ra: false, flag_tc: false });
    expect(reply.packet.flag_aa).toBe(rcode !== 'refused');
    expect(reply.packet.questions).toMatchObject([{ name: asked.name }]);
  });

  test('what may be remembered, is not for long', () => {
    const ttls = (name: string) => {
      const { packet } = ask({ name });
      return [...(packet.answers ?? []), ...(packet.authorities ?? [])].map((record) => 'ttl' in record && record.ttl);
    };
    expect(ttls('calm-otter.vm')).toEqual([5]);
    expect(ttls('nobody.vm')).toEqual([1]);
  });
});

describe('EDNS', () => {
  test('is answered where it is spoken, and only there', () => {
    expect(ask({ name: 'calm-otter.vm' }).packet.additionals).toEqual([]);
    expect(ask({ name: 'calm-otter.vm', additionals: [OPT] }).packet.additionals).toMatchObject([
      { type: 'OPT', name: '.', udpPayloadSize: 1232, ednsVersion: 0, extendedRcode: 0, flag_do: false },
    ]);
  });

  test('DNSSEC OK is given back', () => {
    const reply = ask({ name: 'calm-otter.vm', additionals: [{ ...OPT, flags: 0x8000 }] });
    expect(reply.packet.additionals).toMatchObject([{ flag_do: true }]);
  });

  test('of another version is refused as BADVERS', () => {
    const reply = ask({ name: 'calm-otter.vm', additionals: [{ ...OPT, ednsVersion: 1 }] });
    expect(reply.packet).toMatchObject({ answers: [], additionals: [{ extendedRcode: 1, ednsVersion: 0 }] });
    expect(reply.rcode).toBe('ok');
  });

  test('twice in one message is malformed', () => {
    expect(ask({ name: 'calm-otter.vm', additionals: [OPT, OPT] }).rcode).toBe('malformed');
  });
});

describe('an answer that is too long', () => {
  const name = `${`${'a'.repeat(60)}.`.repeat(3)}${'b'.repeat(45)}.calm-otter.vm`;

  test('is cut over UDP, and says so', () => {
    const reply = ask({ name });
    expect(reply).toMatchObject({ rcode: 'ok', answers: [] });
    expect(reply.packet.flag_tc).toBe(true);
    expect(reply.bytes.length).toBeLessThanOrEqual(512);
  });

  test.each([
    ['over TCP', [], 'tcp'],
    ['where the client takes more', [OPT], 'udp'],
  ] as const)('is whole %s', (_what, additionals, transport) => {
    const reply = ask({ name, additionals: [...additionals] }, transport);
    expect(reply.packet.flag_tc).toBe(false);
    expect(reply.answers).toEqual([['A', name, '127.77.4.2']]);
    expect(reply.bytes.length).toBeGreaterThan(512);
  });
});

describe('what is no question', () => {
  const good = query({ name: 'calm-otter.vm' });

  test.each([
    ['nothing', Buffer.alloc(0)],
    ['a header that is cut', good.subarray(0, 11)],
    ['a reply', Buffer.from(good).fill(0x80, 2, 3)],
  ])('%s is not answered', (_what, message) => {
    expect(answerMessage(message, ZONE, 'udp')).toBeUndefined();
  });

  test.each([
    ['a header alone', good.subarray(0, 12), 1],
    ['a question that is cut', good.subarray(0, good.length - 1), 1],
    ['no question', Buffer.concat([good.subarray(0, 4), Buffer.alloc(8)]), 1],
    ['two questions', Buffer.concat([good.subarray(0, 5), Buffer.from([2]), good.subarray(6), good.subarray(12)]), 1],
    ['more records than there are', Buffer.concat([good.subarray(0, 6), Buffer.from([255, 255]), good.subarray(8)]), 1],
    ['a name that points at itself', Buffer.concat([good.subarray(0, 12), Buffer.from([0xc0, 12, 0, 1, 0, 1])]), 1],
    [
      'a dot inside a label',
      Buffer.concat([good.subarray(0, 12), Buffer.from('\u000dcalm-otter.vm\0\0\u0001\0\u0001', 'latin1')]),
      1,
    ],
    ['a name that is no text', Buffer.concat([good.subarray(0, 12), Buffer.from([1, 0xff, 0, 0, 1, 0, 1])]), 1],
    ['another opcode', Buffer.concat([good.subarray(0, 2), Buffer.from([0x29]), good.subarray(3)]), 4],
  ])('%s is answered by its number and an error', (_what, message, rcode) => {
    const reply = answerMessage(Buffer.from(message), ZONE, 'udp');
    expect(reply?.length).toBe(12);
    expect(reply?.readUInt16BE(0)).toBe(4711);
    expect((reply?.readUInt16BE(2) ?? 0) & 0x800f).toBe(0x8000 | rcode);
  });

  test('bytes of any kind end in an answer or in none', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        const reply = answerMessage(Buffer.from(bytes), ZONE, 'udp');
        expect(reply === undefined || reply.length >= 12).toBe(true);
      }),
      { numRuns: 3_000 },
    );
  });

  test('a question with bytes changed, cut or added ends in an answer that can be read, or in none', () => {
    const whole = query({ name: 'app.calm-otter.vm', additionals: [OPT] });
    const changes = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.integer({ min: 0, max: 255 })), { maxLength: 6 });
    fc.assert(
      fc.property(changes, fc.nat(whole.length), fc.uint8Array({ maxLength: 40 }), (changed, length, added) => {
        const bytes = Buffer.concat([whole.subarray(0, length), added]);
        for (const [at, value] of changed) if (at < bytes.length) bytes[at] = value;
        const reply = answerMessage(bytes, ZONE, 'udp');
        if (reply && reply.length > 12) expect(decode(reply).questions).toHaveLength(1);
      }),
      { numRuns: 5_000 },
    );
  });
});
