import { describe, expect, it } from 'vitest';
import { parseNameServers, reachableNameServers } from '../../../../src/adapters/host-network/resolver.ts';

const STUB = 'nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch example.test\n';

describe('parseNameServers', () => {
  it('keeps the order, and IPv4 only', () => {
    const text = [
      '# nameserver 192.0.2.1',
      ';nameserver 192.0.2.2',
      'domain example.test',
      'nameserver 192.0.2.3   # mine',
      '  nameserver\t192.0.2.4',
      'nameserver fd00::53',
      'nameserver fe80::1%eth0',
      'nameserver 192.0.2',
      'nameservers 192.0.2.5',
      'nameserver 192.0.2.6',
    ].join('\n');
    expect(parseNameServers(text)).toEqual(['192.0.2.3', '192.0.2.4', '192.0.2.6']);
  });

  it('reads a file with Windows line ends', () => {
    expect(parseNameServers('nameserver 192.0.2.3\r\nnameserver 192.0.2.4\r\n')).toEqual(['192.0.2.3', '192.0.2.4']);
  });
});

describe('reachableNameServers', () => {
  it.each<[string, string, string, string[]]>([
    ['the host’s own', 'nameserver 192.0.2.3\n', 'nameserver 192.0.2.9\n', ['192.0.2.3']],
    ['those behind a stub on loopback', STUB, 'nameserver 192.0.2.9\n', ['192.0.2.9']],
    ['what is left beside loopback', 'nameserver 127.0.0.1\nnameserver 192.0.2.3\n', '', ['192.0.2.3']],
    ['none where the stub is all there is', STUB, '', []],
    ['none where there is no file', '', '', []],
    ['none where 0.0.0.0 stands for the host itself', 'nameserver 0.0.0.0\n', '', []],
  ])('%s', (_what, resolvConf, upstreamConf, expected) => {
    expect(reachableNameServers(resolvConf, upstreamConf)).toEqual(expected);
  });
});
