import { describe, expect, it } from 'vitest';
import { hasGlobalAddress, parseLinks, parseRoutes } from '../../../../src/adapters/host-network/ip-json.ts';

describe('parseLinks', () => {
  it('reads kind, MAC, master and IPv4 addresses (iproute2 6.1)', () => {
    const json = JSON.stringify([
      {
        ifname: 'banger0',
        address: '02:62:0a:4d:00:01',
        linkinfo: { info_kind: 'bridge', info_data: { stp_state: 0 } },
        addr_info: [
          { family: 'inet', local: '10.77.0.1', prefixlen: 20, scope: 'global' },
          { family: 'inet6', local: 'fe80::1', prefixlen: 64, scope: 'link' },
        ],
      },
      {
        ifname: 'bngr-1a2b3c4d5e',
        address: '52:f7:8c:00:00:01',
        master: 'banger0',
        linkinfo: { info_kind: 'tun', info_slave_kind: 'bridge' },
        addr_info: [],
      },
      { ifname: 'lo', address: '00:00:00:00:00:00', addr_info: [{ family: 'inet', local: '127.0.0.1', prefixlen: 8 }] },
    ]);
    expect(parseLinks(json)).toEqual([
      {
        name: 'banger0',
        kind: 'bridge',
        macAddress: '02:62:0a:4d:00:01',
        master: undefined,
        addresses: ['10.77.0.1/20'],
      },
      { name: 'bngr-1a2b3c4d5e', kind: 'tun', macAddress: '52:f7:8c:00:00:01', master: 'banger0', addresses: [] },
      { name: 'lo', kind: '', macAddress: '00:00:00:00:00:00', master: undefined, addresses: ['127.0.0.1/8'] },
    ]);
  });

  it.each(['', '\n', '[]', '[{},{}]'])('finds nothing in %j', (json) => expect(parseLinks(json)).toEqual([]));
});

describe('parseRoutes', () => {
  it('reads defaults, networks, single hosts and routes that lead nowhere', () => {
    const json = JSON.stringify([
      { dst: 'default', gateway: '192.0.2.1', dev: 'eth0', flags: [] },
      { dst: '192.0.2.0/24', dev: 'eth0', protocol: 'kernel', scope: 'link', prefsrc: '192.0.2.2', flags: [] },
      { dst: '198.51.100.7', dev: 'wg0', flags: [] },
      { type: 'blackhole', dst: '10.77.4.0/24', flags: [] },
    ]);
    expect(parseRoutes(json)).toEqual([
      { cidr: '0.0.0.0/0', device: 'eth0' },
      { cidr: '192.0.2.0/24', device: 'eth0' },
      { cidr: '198.51.100.7/32', device: 'wg0' },
      { cidr: '10.77.4.0/24', device: '' },
    ]);
  });

  it('reads a host without routes', () => expect(parseRoutes('')).toEqual([]));
});

describe('hasGlobalAddress', () => {
  const rows = (...scopes: string[]): string =>
    JSON.stringify([{ ifname: 'eth0', addr_info: scopes.map((scope) => ({ family: 'inet6', scope })) }]);

  it.each([
    ['', false],
    ['[{}]', false],
    [rows(), false],
    [rows('link'), false],
    [rows('link', 'global'), true],
  ])('of %s: %s', (json, expected) => expect(hasGlobalAddress(json)).toBe(expected));
});
