import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  cidrsOverlap,
  lowestFreeAddress,
  macAddressOf,
  planAddresses,
  planBridge,
  tapNameOf,
} from '../../../../src/core/networks/address-plan.ts';
import { formatIpv4, maskOf, parseIpv4 } from '../../../../src/contracts/ipv4.ts';

/** An interface's name with its closing NUL (netdevice(7)). */
const IFNAMSIZ = 16;

/** Networks of private use with room for a few hundred guests at most, so that they can be filled. */
const smallCidr = fc
  .tuple(fc.integer({ min: 0x0a000000, max: 0x0affffff }), fc.integer({ min: 23, max: 30 }))
  .map(([address, prefixLength]) => `${formatIpv4((address & maskOf(prefixLength)) >>> 0)}/${prefixLength}`);

function code(act: () => unknown): unknown {
  try {
    return act();
  } catch (error) {
    return error instanceof Error && 'code' in error ? error.code : error;
  }
}

describe('planAddresses', () => {
  it.each([
    [
      '10.77.0.0/20',
      {
        network: '10.77.0.0',
        gateway: '10.77.0.1',
        broadcast: '10.77.15.255',
        netmask: '255.255.240.0',
        capacity: 4093,
      },
    ],
    [
      '192.168.7.0/24',
      {
        network: '192.168.7.0',
        gateway: '192.168.7.1',
        broadcast: '192.168.7.255',
        netmask: '255.255.255.0',
        capacity: 253,
      },
    ],
    [
      '172.16.0.252/30',
      {
        network: '172.16.0.252',
        gateway: '172.16.0.253',
        broadcast: '172.16.0.255',
        netmask: '255.255.255.252',
        capacity: 1,
      },
    ],
    [
      '10.0.0.0/8',
      {
        network: '10.0.0.0',
        gateway: '10.0.0.1',
        broadcast: '10.255.255.255',
        netmask: '255.0.0.0',
        capacity: 2 ** 24 - 3,
      },
    ],
  ])('reads %s', (cidr, expected) => expect(planAddresses(cidr)).toMatchObject({ cidr, ...expected }));

  it.each([
    ['10.77.0.0/31', /no room/],
    ['10.77.0.1/32', /no room/],
    ['10.77.0.1/20', /host bits/],
    ['10.77.0.0', /not an IPv4 network/],
    ['10.77.0.0/20\n', /not an IPv4 network/],
    ['fd00::/64', /not an IPv4 network/],
    ['127.0.0.0/8', /loopback/],
    ['169.254.0.0/16', /link-local/],
    ['169.254.16.0/24', /link-local/],
    ['240.0.0.0/8', /reserved/],
    ['0.0.0.0/0', /"this" network/],
  ])('refuses %j', (cidr, message) => {
    expect(code(() => planAddresses(cidr))).toBe('CONFIG_INVALID');
    expect(() => planAddresses(cidr)).toThrow(message);
  });

  it('names the network that was meant where host bits are set', () => {
    expect(() => planAddresses('10.77.3.9/20')).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('10.77.0.0/20') as string }),
    );
  });
});

describe('planBridge', () => {
  it('gives the bridge the first host address', () => {
    expect(planBridge(planAddresses('10.77.0.0/20'), 'banger0')).toEqual({
      bridgeName: 'banger0',
      gateway: '10.77.0.1',
      prefixLength: 20,
      cidr: '10.77.0.0/20',
    });
  });
});

describe('lowestFreeAddress', () => {
  it('begins behind the gateway and fills gaps', () => {
    expect(lowestFreeAddress('10.77.0.0/20', new Set())).toBe('10.77.0.2');
    expect(lowestFreeAddress('10.77.0.0/20', new Set(['10.77.0.2', '10.77.0.4', '192.0.2.7']))).toBe('10.77.0.3');
  });

  it('fills every network to its capacity: no duplicate, always inside, never network, gateway or broadcast', () => {
    fc.assert(
      fc.property(smallCidr, (cidr) => {
        const plan = planAddresses(cidr);
        const taken = new Set<string>();
        for (let count = 0; count < plan.capacity; count += 1) {
          const address = lowestFreeAddress(cidr, taken);
          expect(taken.has(address)).toBe(false);
          expect([plan.network, plan.gateway, plan.broadcast]).not.toContain(address);
          expect(cidrsOverlap(`${address}/32`, cidr)).toBe(true);
          taken.add(address);
        }
        expect(code(() => lowestFreeAddress(cidr, taken))).toBe('ADDRESSES_EXHAUSTED');
      }),
      { numRuns: 25 },
    );
  });

  it('is the lowest: every address below it is taken', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 2, max: 254 })), (hosts) => {
        const taken = new Set(hosts.map((host) => `192.168.7.${host}`));
        if (taken.size === 253) return;
        const last = Number(lowestFreeAddress('192.168.7.0/24', taken).split('.')[3]);
        for (let host = 2; host < last; host += 1) expect(taken.has(`192.168.7.${host}`)).toBe(true);
      }),
    );
  });
});

describe('macAddressOf', () => {
  it('is 02:62 and the address', () => expect(macAddressOf('10.77.0.2')).toBe('02:62:0a:4d:00:02'));

  it('is another for every address', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffffffff }), (value) => {
        const bytes = macAddressOf(formatIpv4(value)).split(':').slice(2);
        expect(parseIpv4(bytes.map((byte) => Number.parseInt(byte, 16)).join('.'))).toBe(value);
      }),
    );
  });

  it('refuses what is no address', () => expect(code(() => macAddressOf('10.77.0'))).toBe('INTERNAL'));
});

describe('tapNameOf', () => {
  it('is the longest an interface can have', () => {
    expect(tapNameOf('vm-1a2b3c4d5e')).toBe('bngr-1a2b3c4d5e');
    expect(Buffer.byteLength(tapNameOf('vm-1a2b3c4d5e'))).toBe(IFNAMSIZ - 1);
  });

  it.each(['vm-', 'vm-1A2B3C4D5E', 'img-1a2b3c4d5e', 'vm-1a2b3c4d5e6', 'vm-1a2b3c4d5e\n'])('refuses %j', (id) => {
    expect(code(() => tapNameOf(id))).toBe('INTERNAL');
  });
});

describe('cidrsOverlap', () => {
  it.each([
    ['10.77.0.0/20', '10.77.15.255/32', true],
    ['10.77.0.0/20', '10.77.16.0/24', false],
    ['10.0.0.0/8', '10.77.0.0/20', true],
    ['192.168.0.0/16', '10.77.0.0/20', false],
  ])('%s and %s: %s', (one, other, expected) => expect(cidrsOverlap(one, other)).toBe(expected));

  it('refuses what is no network', () => expect(code(() => cidrsOverlap('10.0.0.0', '10.0.0.0/8'))).toBe('INTERNAL'));
});
