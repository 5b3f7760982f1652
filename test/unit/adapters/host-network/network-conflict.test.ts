import { describe, expect, it } from 'vitest';
import type { LinkFacts, RouteFacts } from '../../../../src/adapters/host-network/ip-json.ts';
import { findConflict } from '../../../../src/adapters/host-network/network-conflict.ts';

const plan = { bridgeName: 'banger0', gateway: '10.77.0.1', prefixLength: 20, cidr: '10.77.0.0/20' };

function link(name: string, ...addresses: string[]): LinkFacts {
  return { name, kind: '', macAddress: '02:00:00:00:00:01', master: undefined, addresses };
}

describe('findConflict', () => {
  it.each<[string, LinkFacts[], RouteFacts[], unknown]>([
    ['nothing there', [], [], undefined],
    ['another network', [link('eth0', '192.0.2.2/24')], [{ cidr: '192.0.2.0/24', device: 'eth0' }], undefined],
    ['an address inside ours', [link('eth0', '10.77.3.9/32')], [], { device: 'eth0', cidr: '10.77.3.9/32' }],
    ['a network around ours', [link('eth0', '10.1.2.3/8')], [], { device: 'eth0', cidr: '10.1.2.3/8' }],
    ['a route into ours', [], [{ cidr: '10.77.8.0/24', device: 'wg0' }], { device: 'wg0', cidr: '10.77.8.0/24' }],
    ['a route that leads nowhere', [], [{ cidr: '10.77.8.0/24', device: '' }], { device: '', cidr: '10.77.8.0/24' }],
    ['a default route', [], [{ cidr: '0.0.0.0/0', device: 'eth0' }], undefined],
    [
      'a VPN’s halves of everything',
      [],
      ['0.0.0.0/1', '128.0.0.0/1'].map((cidr) => ({ cidr, device: 'tun0' })),
      undefined,
    ],
    ['our own bridge', [link('banger0', '10.77.0.1/20')], [{ cidr: '10.77.0.0/20', device: 'banger0' }], undefined],
    [
      'the second address of an interface',
      [link('eth0', '192.0.2.2/24', '10.77.15.255/32')],
      [],
      { device: 'eth0', cidr: '10.77.15.255/32' },
    ],
  ])('%s', (_what, links, routes, expected) => expect(findConflict(plan, links, routes)).toEqual(expected));
});
