import { encode, type Packet } from 'dns-packet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressesIn, answerFor, RCODE, readQuery, refusalOf } from '../../../../src/adapters/name-gate/messages.ts';

function queryOf(name: string, more: Packet = {}): Buffer {
  return encode({ type: 'query', id: 7, flags: 0x0100, questions: [{ type: 'A', class: 'IN', name }], ...more });
}

describe('a guest’s question', () => {
  it('is for one host name', () => {
    expect(readQuery(queryOf('Git.Example.com'))).toMatchObject({
      id: 7,
      name: 'Git.Example.com',
      inquiry: { payloadBytes: undefined },
    });
  });

  it('says how long an answer it takes, within bounds', () => {
    const opt = (udpPayloadSize: number): Packet => ({
      additionals: [
        {
          type: 'OPT',
          name: '.',
          udpPayloadSize,
          extendedRcode: 0,
          ednsVersion: 0,
          flags: 0,
          flag_do: false,
          options: [],
        },
      ],
    });
    expect(readQuery(queryOf('a.org', opt(65_535)))?.inquiry.payloadBytes).toBe(1232);
    expect(readQuery(queryOf('a.org', opt(100)))?.inquiry.payloadBytes).toBe(512);
  });

  it.each([
    ['a reply', encode({ type: 'response', id: 7, questions: [{ type: 'A', name: 'a.org' }] })],
    [
      'two questions',
      queryOf('a.org', {
        questions: [
          { type: 'A', name: 'a.org' },
          { type: 'A', name: 'b.org' },
        ],
      }),
    ],
    ['none', queryOf('a.org', { questions: [] })],
    ['one of another class', queryOf('a.org', { questions: [{ type: 'A', class: 'CH', name: 'a.org' }] })],
    ['one for what is no host name', queryOf('a b.org')],
    ['answers along', queryOf('a.org', { answers: [{ type: 'A', name: 'a.org', data: '192.0.2.1' }] })],
    ['half a header', Buffer.alloc(6)],
  ])('is not heard where it is %s', (_what, message) => {
    expect(readQuery(message)).toBeUndefined();
  });

  it('of any bytes makes nothing fail', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, cut) => {
        const message = Buffer.concat([cut ? queryOf('a.org').subarray(0, 12) : Buffer.alloc(0), bytes]);
        const query = readQuery(message);
        if (query) expect(refusalOf(query, RCODE.noSuchName).readUInt16BE(0)).toBe(query.id);
      }),
    );
  });
});

describe('an answer', () => {
  const reply = encode({
    type: 'response',
    id: 99,
    questions: [{ type: 'A', name: 'a.org' }],
    answers: [
      { type: 'CNAME', name: 'a.org', ttl: 9000, data: 'b.org' },
      { type: 'A', name: 'b.org', ttl: 60, data: '192.0.2.1' },
      { type: 'A', name: 'b.org', ttl: 30, data: '192.0.2.2' },
      { type: 'AAAA', name: 'b.org', ttl: 30, data: 'fd00::1' },
    ],
  });

  it('has the addresses of whatever its name stands for', () => {
    expect(addressesIn(reply)).toEqual({ addresses: ['192.0.2.1', '192.0.2.2'], ttlS: 60 });
  });

  it('comes under the number by which the guest asked, and is else as it was', () => {
    const query = readQuery(queryOf('a.org'));
    const answer = query && answerFor(query, reply);
    expect(answer?.readUInt16BE(0)).toBe(7);
    expect(answer?.subarray(2)).toEqual(reply.subarray(2));
  });

  it('opens no more than 64 addresses', () => {
    const answers = Array.from(
      { length: 80 },
      (_, at) => ({ type: 'A', name: 'a.org', data: `192.0.2.${at}` }) as const,
    );
    expect(addressesIn(encode({ type: 'response', answers }))?.addresses).toHaveLength(64);
  });

  it('that cannot be read is none', () => {
    expect(addressesIn(Buffer.concat([reply.subarray(0, 30), Buffer.alloc(3, 0xff)]))).toBeUndefined();
  });
});
