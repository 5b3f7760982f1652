import { describe, expect, test } from 'vitest';
import {
  parseAvailableBytes,
  parseNameServers,
  parseRoutes,
  parseVersion,
} from '../../../../src/adapters/host-facts/parse-facts.ts';

describe('parseVersion', () => {
  // The first lines of Debian 12's own programs.
  test.each([
    ['QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)', '7.2.22'],
    ['mmdebstrap 1.3.5', '1.3.5'],
    ['mke2fs 1.47.0 (5-Feb-2023)\n\tUsing EXT2FS Library version 1.47.0', '1.47.0'],
    ['nftables v1.0.6 (Lester Gooch #5)', '1.0.6'],
    ['ip utility, iproute2-6.1.0, libbpf 1.1.2', '6.1.0'],
    ['nsenter from util-linux 2.38.1', '2.38.1'],
    ['OpenSSH_9.2p1 Debian-2+deb12u10, OpenSSL 3.0.19 27 Jan 2026', '9.2p1'],
    ['pasta unknown version\nGNU GPL, version 2.0', undefined],
    ['pasta 0.0~git20230309', '0.0'],
    ['\n11.19.1\n', '11.19.1'],
    ['', undefined],
  ])('%j', (output, expected) => {
    expect(parseVersion(output)).toBe(expected);
  });
});

test('parseAvailableBytes', () => {
  expect(parseAvailableBytes('MemTotal:  100 kB\nMemFree: 10 kB\nMemAvailable:   64 kB\n')).toBe(65_536);
  expect(parseAvailableBytes('MemTotal: 100 kB\n')).toBeUndefined();
});

test('parseNameServers', () => {
  const text = '# nameserver 192.0.2.1\nsearch example\nnameserver 192.0.2.2\n nameserver\t2001:db8::1 \nnameserver\n';
  expect(parseNameServers(text)).toEqual(['192.0.2.2', '2001:db8::1']);
});

test.each([
  ['[{"dst":"default","gateway":"192.0.2.1","dev":"eth0","flags":[]},{"dst":"192.0.2.0/24","dev":"eth0"}]', 2],
  ['[{"type":"blackhole","dst":"203.0.113.0/24","flags":[]}]', 0],
  ['', 0],
  ['[]', 0],
])('parseRoutes of %j gives %i', (json, count) => {
  expect(parseRoutes(json)).toHaveLength(count);
});
