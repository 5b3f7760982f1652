import { describe, expect, it } from 'vitest';
import { isLinkDeleted, readNftLine } from '../../../../src/adapters/host-network/monitor-lines.ts';

const TABLE = 'banger_0a1b2c3d';
/** As nft 1.0.6 writes it. */
const PACKET =
  'iif "banger0" oif "eth0" ether saddr 02:62:0a:4d:00:02 ether daddr 02:62:0a:4d:00:01 ip saddr 10.77.0.2 ' +
  'ip daddr 198.51.100.1 ip dscp cs0 ip ecn not-ect ip ttl 63 ip id 10209 ip protocol';

describe('a line of nft monitor', () => {
  it.each([
    [
      `${PACKET} tcp ip length 60 tcp sport 49274 tcp dport 80 tcp flags == syn tcp window 64240 `,
      'tcp 198.51.100.1:80',
    ],
    [`${PACKET} udp ip length 29 udp sport 9 udp dport 53 udp length 9 `, 'udp 198.51.100.1:53'],
    [`${PACKET} icmp ip length 84 icmp type echo-request icmp code net-unreachable `, 'icmp 198.51.100.1'],
  ])('tells what a guest was refused: %#', (packet, what) => {
    expect(readNftLine(`trace id bca00097 inet ${TABLE} refuse packet: ${packet}`, TABLE)).toEqual({
      kind: 'refusal',
      refusal: { guest: '10.77.0.2', what },
    });
  });

  it.each([
    [`delete table inet ${TABLE}`, 'rules'],
    [`delete chain netdev ${TABLE} from_bngr_1a2b3c4d5e`, 'rules'],
    [`add rule inet ${TABLE} input accept`, 'rules'],
    [`add element inet ${TABLE} open_addresses { 10.77.0.2 }`, 'rules'],
    [`add element inet ${TABLE} learned { 10.77.0.2 . 192.0.2.7 timeout 1h }`, 'other'],
    ['add table inet banger_ffffffff', 'other'],
    ['add table inet banger_0a1b2c3d4', 'other'],
    ['add rule ip filter DOCKER-USER return', 'other'],
    ['# new generation 3 by process 17400 (nft)', 'end'],
    [`trace id bca00097 inet ${TABLE} refuse unknown rule handle 8 (verdict drop)`, 'other'],
    [`trace id bca00097 inet other refuse packet: ${PACKET} tcp ip length 60 `, 'other'],
    ['', 'other'],
  ])('%j is of kind %s', (line, kind) => {
    expect(readNftLine(line, TABLE)).toEqual({ kind });
  });
});

it('an interface that ends is told of as deleted', () => {
  expect(
    isLinkDeleted('Deleted 5: bngr-1a2b3c4d5e: <BROADCAST,MULTICAST> mtu 1500 qdisc noop state DOWN group default'),
  ).toBe(true);
  expect(isLinkDeleted('5: bngr-1a2b3c4d5e: <BROADCAST,MULTICAST> mtu 1500')).toBe(false);
});
