import { describe, expect, test } from 'vitest';
import type { ListeningPort } from '../../../../src/contracts/agent-messages.ts';
import {
  hostAddressOf,
  planForwarding,
  portsToPublish,
  refusalOf,
} from '../../../../src/core/publishing/publishing-plan.ts';

const GUEST = '10.77.0.2';
const FACTS = { mode: 'isolated', cidr: '10.77.0.0/20', namespaceName: 'banger-00000000' } as const;

function port(number: number, differences: Partial<ListeningPort> = {}): ListeningPort {
  return { protocol: 'tcp', address: '0.0.0.0', port: number, ...differences };
}

describe('a port', () => {
  test.each([
    [{ address: '0.0.0.0' }, undefined],
    [{ address: '::' }, undefined],
    [{ address: '::ffff:0.0.0.0' }, undefined],
    [{ address: GUEST }, undefined],
    [{ address: `::ffff:${GUEST}` }, undefined],
    [{ address: '127.0.0.1' }, 'guest-loopback'],
    [{ address: '127.0.0.53' }, 'guest-loopback'],
    [{ address: '::ffff:127.0.0.1' }, 'guest-loopback'],
    [{ address: '::1' }, 'guest-loopback'],
    [{ address: '172.17.0.1' }, 'other-address'],
    [{ address: 'fe80::1' }, 'other-address'],
    [{ protocol: 'udp' }, 'not-tcp'],
    [{ protocol: 'udp', address: '127.0.0.1' }, 'not-tcp'],
  ] as const)('%j: %s', (differences, expected) => {
    expect(refusalOf(port(3000, differences), GUEST)).toBe(expected);
  });
});

describe('ports that are published', () => {
  test('are each published once, however many listen on it', () => {
    const listening = [port(80), port(22), port(80, { address: '::' }), port(5432, { address: '127.0.0.1' })];
    expect(portsToPublish({ listening, truncated: false }, GUEST)).toEqual([22, 80]);
  });

  test('are the lowest 128 of a guest that opens everything', () => {
    const listening = Array.from({ length: 256 }, (_, index) => port(60_000 - index));
    const published = portsToPublish({ listening, truncated: true }, GUEST);
    expect(published).toHaveLength(128);
    expect(published[0]).toBe(59_745);
    expect(published.at(-1)).toBe(59_872);
  });
});

describe('everything that shall be on the host', () => {
  const vms = [
    { id: 'vm-1', name: 'calm-otter', address: GUEST },
    { id: 'vm-2', name: 'stopped', address: '10.77.0.3' },
    { id: 'vm-3', name: 'elsewhere', address: '10.99.0.3' },
  ];
  const listening = new Map([
    ['vm-1', { listening: [port(22), port(3000)], truncated: false }],
    ['vm-3', { listening: [port(22)], truncated: false }],
  ]);

  test('in a namespace of banger’s own: names of all VMs, ports of those that run', () => {
    expect(planForwarding(vms, listening, FACTS)).toEqual({
      version: 1,
      dnsAddress: '127.77.0.1',
      names: [
        { name: 'calm-otter', address: '127.77.0.2' },
        { name: 'stopped', address: '127.77.0.3' },
      ],
      forwards: [{ vmName: 'calm-otter', address: '127.77.0.2', ports: [22, 3000] }],
    });
  });

  test('in the host’s: names, with the guests’ own addresses', () => {
    const plan = planForwarding(vms, listening, { ...FACTS, mode: 'host' });
    expect(plan.forwards).toEqual([]);
    expect(plan.names.map(({ address }) => address)).toEqual(['10.77.0.2', '10.77.0.3', '10.99.0.3']);
    expect(hostAddressOf('10.99.0.3', { ...FACTS, mode: 'host' })).toBe('10.99.0.3');
  });
});
