import { expect, test } from 'vitest';
import { nameServersOf, resolvedServersOf } from '../../../../src/adapters/host-resolver/resolver-facts.ts';

test.each([
  ['', []],
  ['nameserver 192.0.2.1\n\tnameserver  192.0.2.2 \n', ['192.0.2.1', '192.0.2.2']],
  ['# nameserver 192.0.2.1\nsearch example.org\n', []],
])('name servers of %j: %j', (text, servers) => {
  expect(nameServersOf(text)).toEqual(servers);
});

test.each([
  [[], []],
  [['[Resolve]\nDNS=192.0.2.1 192.0.2.2\n'], ['192.0.2.1', '192.0.2.2']],
  [
    ['DNS=192.0.2.1\n', ' DNS = 192.0.2.2\n'],
    ['192.0.2.1', '192.0.2.2'],
  ],
  // An empty one takes away those before it (resolved.conf(5)).
  [['DNS=192.0.2.1\n', 'DNS=\nDNS=192.0.2.3\n'], ['192.0.2.3']],
  [['#DNS=192.0.2.1\n'], []],
])('servers that systemd-resolved is given by %j: %j', (configs, servers) => {
  expect(resolvedServersOf(configs)).toEqual(servers);
});
