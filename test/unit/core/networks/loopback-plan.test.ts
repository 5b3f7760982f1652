import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { planAddresses } from '../../../../src/core/networks/address-plan.ts';
import { formatIpv4, parseIpv4 } from '../../../../src/contracts/ipv4.ts';
import { dnsAddressOf, loopbackAddressOf } from '../../../../src/core/networks/loopback-plan.ts';

const INSTANCE = { cidr: '10.77.0.0/20', namespaceName: 'banger-29dd0000' };
const OTHER = { ...INSTANCE, namespaceName: 'banger-29ddabcd' };

describe('the loopback address of a guest', () => {
  test.each([
    [INSTANCE, '10.77.0.2', '127.77.0.2'],
    [INSTANCE, '10.77.15.254', '127.77.15.254'],
    [OTHER, '10.77.0.2', '127.77.171.207'],
    [{ ...OTHER, cidr: '192.168.7.0/30' }, '192.168.7.2', '127.77.171.207'],
    [{ ...INSTANCE, cidr: '10.0.0.0/8' }, '10.0.255.255', '127.77.255.255'],
    // Room for 65,536, and the lowest are given first.
    [{ ...INSTANCE, cidr: '10.0.0.0/8' }, '10.1.0.0', undefined],
    // Of a VM from before the network was changed.
    [INSTANCE, '10.77.16.2', undefined],
    [INSTANCE, '10.76.255.2', undefined],
  ])('%j: %s is %s', (instance, address, expected) => {
    expect(loopbackAddressOf(address, instance)).toBe(expected);
  });

  test('is always in 127.77.0.0/16, and no other guest’s nor the name server’s', () => {
    const network = fc.constantFrom('10.77.0.0/20', '10.77.0.0/16', '10.0.0.0/8', '192.168.4.0/24');
    const hash = fc.stringMatching(/^[0-9a-f]{8}$/);
    fc.assert(
      fc.property(network, hash, fc.nat(4095), fc.nat(4095), (cidr, digits, one, other) => {
        const instance = { cidr, namespaceName: `banger-${digits}` };
        const { gateway, capacity } = planAddresses(cidr);
        const addresses = [one, other].map((offset) =>
          loopbackAddressOf(formatIpv4((parseIpv4(gateway) ?? 0) + 1 + (offset % capacity)), instance),
        );
        expect(new Set([...addresses, dnsAddressOf(instance)]).size).toBe(one % capacity === other % capacity ? 2 : 3);
        for (const address of addresses) expect(address).toMatch(/^127\.77\.\d{1,3}\.\d{1,3}$/);
      }),
    );
  });
});

test('names are answered at what stands for the gateway', () => {
  expect(dnsAddressOf(INSTANCE)).toBe('127.77.0.1');
  expect(dnsAddressOf(OTHER)).toBe('127.77.171.204');
});
