import fc from 'fast-check';
import { isIPv4 } from 'node:net';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { ipv4Number, parseHexAddress } from '../../../../../guest/agent/proc/ip-address.ts';

describe('parseHexAddress', () => {
  test.each([
    ['00000000', '0.0.0.0'],
    ['0100007F', '127.0.0.1'],
    ['0900004D', '77.0.0.9'],
    ['FE01A8C0', '192.168.1.254'],
    ['00000000000000000000000000000000', '::'],
    ['00000000000000000000000001000000', '::1'],
    ['000080FE00000000FF005450563412FE', 'fe80::5054:ff:fe12:3456'],
    ['B80D0120000000000000000001000000', '2001:db8::1'],
    ['B80D0120010000000000000001000000', '2001:db8:0:1::1'],
    ['B80D0120010002000300040005000600', '2001:db8:2:1:4:3:6:5'],
    ['0000000000000000FFFF00000100007F', '::ffff:7f00:1'],
    ['B80D0120000000000000010001000000', '2001:db8::1:0:0:1'],
    ['B80D0120010000000000000000000000', '2001:db8:0:1::'],
  ])('%s is %s', (hex, address) => {
    expect(parseHexAddress(hex)).toBe(address);
  });

  test.each(['', '0', '0000000G', '000000000', '0'.repeat(31), '0'.repeat(33)])('%j is none', (hex) => {
    expect(parseHexAddress(hex)).toBeUndefined();
  });

  test('whatever the kernel writes, the host takes', () => {
    const schema = z.union([z.ipv4(), z.ipv6()]);
    const word = fc.constantFrom('00000000', '0000FFFF', '01000000', 'B80D0120', '00010000', 'FFFFFFFF');
    fc.assert(
      fc.property(
        fc.oneof(
          word,
          fc.tuple(word, word, word, word).map((words) => words.join('')),
        ),
        (hex) => {
          expect(schema.safeParse(parseHexAddress(hex)).success).toBe(true);
        },
      ),
    );
  });
});

test('ipv4Number takes what everybody takes for an address', () => {
  const octet = fc.oneof(
    fc.integer({ min: 0, max: 300 }).map(String),
    fc.constantFrom('', '00', '01', '1e1', ' 1', '-1'),
  );
  fc.assert(
    fc.property(fc.array(octet, { minLength: 3, maxLength: 5 }), (octets) => {
      const text = octets.join('.');
      expect(!Number.isNaN(ipv4Number(text))).toBe(isIPv4(text));
    }),
  );
  expect(ipv4Number('10.77.0.9')).toBe(0x0a4d0009);
  expect(ipv4Number('255.255.255.255')).toBe(0xffffffff);
});
