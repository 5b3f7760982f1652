import { expect, test } from 'vitest';
import { netmask, networkArguments } from '../../../../src/core/vms/network-arguments.ts';

const BRIDGE = { bridgeName: 'banger0', gateway: '10.77.0.1', prefixLength: 20, cidr: '10.77.0.0/20' };

test.each([
  { dns: [], expected: 'ip=10.77.0.9::10.77.0.1:255.255.240.0:calm-otter:eth0:off' },
  { dns: ['169.254.1.1'], expected: 'ip=10.77.0.9::10.77.0.1:255.255.240.0:calm-otter:eth0:off:169.254.1.1' },
  {
    dns: ['192.0.2.53', '192.0.2.54', '192.0.2.55'],
    expected: 'ip=10.77.0.9::10.77.0.1:255.255.240.0:calm-otter:eth0:off:192.0.2.53:192.0.2.54',
  },
])('the kernel’s own form with $dns.length name servers', ({ dns, expected }) => {
  expect(networkArguments({ address: '10.77.0.9', hostname: 'calm-otter', nameServers: dns }, BRIDGE)).toEqual([
    expected,
  ]);
});

test.each([
  [0, '0.0.0.0'],
  [8, '255.0.0.0'],
  [20, '255.255.240.0'],
  [30, '255.255.255.252'],
  [32, '255.255.255.255'],
])('/%i is %s', (prefixLength, expected) => {
  expect(netmask(prefixLength)).toBe(expected);
});
