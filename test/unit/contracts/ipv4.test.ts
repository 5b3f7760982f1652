import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatIpv4, maskOf, networkOf, overlaps, parseCidr, parseIpv4 } from '../../../src/contracts/ipv4.ts';

const address = fc.integer({ min: 0, max: 0xffffffff });
const cidr = fc.record({ address, prefixLength: fc.integer({ min: 0, max: 32 }) });

describe('parseIpv4', () => {
  it('reads what formatIpv4 writes', () => {
    fc.assert(
      fc.property(address, (value) => {
        expect(parseIpv4(formatIpv4(value))).toBe(value);
      }),
    );
  });

  it.each([
    '',
    '1.2.3',
    '1.2.3.4.5',
    '256.1.1.1',
    '01.2.3.4',
    '1.2.3.4 ',
    '1..2.3',
    '0x1.2.3.4',
    '-1.2.3.4',
    'a.b.c.d',
  ])('refuses %j', (text) => expect(parseIpv4(text)).toBeUndefined());
});

describe('parseCidr', () => {
  it('keeps the address as it was written', () => {
    expect(parseCidr('10.77.0.5/20')).toEqual({ address: 0x0a4d0005, prefixLength: 20 });
  });

  it.each(['10.77.0.0', '10.77.0.0/', '10.77.0.0/33', '10.77.0.0/020', '10.77.0.0/20/1', '/20', '10.77.0/20'])(
    'refuses %j',
    (text) => expect(parseCidr(text)).toBeUndefined(),
  );
});

describe('maskOf', () => {
  it.each([
    [0, '0.0.0.0'],
    [1, '128.0.0.0'],
    [20, '255.255.240.0'],
    [32, '255.255.255.255'],
  ])('of %i is %s', (prefixLength, mask) => expect(formatIpv4(maskOf(prefixLength))).toBe(mask));
});

describe('overlaps', () => {
  it('is symmetric, and true where one holds an address of the other', () => {
    fc.assert(
      fc.property(cidr, cidr, (one, other) => {
        const holds = (outer: typeof one, inner: number): boolean =>
          networkOf({ ...outer, address: inner }) === networkOf(outer);
        const expected = holds(one, networkOf(other)) || holds(other, networkOf(one));
        expect(overlaps(one, other)).toBe(expected);
        expect(overlaps(other, one)).toBe(expected);
      }),
    );
  });
});
