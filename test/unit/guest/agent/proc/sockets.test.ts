import { describe, expect, test } from 'vitest';
import { listensOn, parseBoundSockets, parseInUse } from '../../../../../guest/agent/proc/sockets.ts';

const TCP = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 14021 1 0000000000000000 100 0 0 10 0
   1: 0100007F:0CEA 00000000:0000 0A 00000000:00000003 00:00000000 00000000   108        0 15532 1 0000000000000000 100 0 0 10 0
   2: 0900004D:0016 0100004D:9C40 01 00000000:00000000 02:000AFC80 00000000     0        0 18201 2 0000000000000000 20 4 29 10 -1
`;
const TCP6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 14032 1 0000000000000000 100 0 0 10 0
`;
const UDP = `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  112: 3500007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000   101        0 13377 2 0000000000000000 0
  127: 0900004D:0044 0100004D:0043 01 00000000:00000000 00:00000000 00000000     0        0 13378 2 0000000000000000 0
`;

describe('parseBoundSockets', () => {
  test('TCP: those that listen', () => {
    expect(parseBoundSockets(TCP, 'tcp')).toEqual([
      { protocol: 'tcp', address: '0.0.0.0', port: 22, inode: '14021' },
      { protocol: 'tcp', address: '127.0.0.1', port: 3306, inode: '15532' },
    ]);
    expect(parseBoundSockets(TCP6, 'tcp')).toEqual([{ protocol: 'tcp', address: '::', port: 22, inode: '14032' }]);
  });

  test('UDP: those that are connected to nothing', () => {
    expect(parseBoundSockets(UDP, 'udp')).toEqual([
      { protocol: 'udp', address: '127.0.0.53', port: 53, inode: '13377' },
    ]);
  });

  test.each(['', 'nonsense', '\n\n', TCP.slice(0, 100)])('%j: none', (text) => {
    expect(parseBoundSockets(text, 'tcp')).toEqual([]);
  });

  test('a line that was cut short counts as none', () => {
    const wholeLine = TCP.indexOf('14021');
    expect(parseBoundSockets(TCP.slice(0, wholeLine + 3), 'tcp')).toEqual([]);
    expect(parseBoundSockets(TCP.slice(0, wholeLine + 5), 'tcp')).toEqual([]);
  });
});

describe('listensOn', () => {
  const line = (local: string, state = '0A'): string =>
    `   0: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0\n`;

  test.each<{ text: string; listens: boolean; name: string }>([
    { name: 'every address', text: TCP, listens: true },
    { name: 'every address, IPv6', text: TCP6, listens: true },
    { name: 'the card’s own address', text: line('0900004D:0016'), listens: true },
    { name: 'the loopback', text: line('0100007F:0016'), listens: false },
    { name: 'another loopback', text: line('0200007F:0016'), listens: false },
    { name: 'the loopback, IPv6', text: line('00000000000000000000000001000000:0016'), listens: false },
    { name: 'a connection', text: line('0900004D:0016', '01'), listens: false },
    { name: 'a port that ends in the same digits', text: line('00000000:1616'), listens: false },
    { name: 'the remote end', text: line('00000000:1F90').replace('00000000:0000', '00000000:0016'), listens: false },
    { name: 'nothing', text: '', listens: false },
  ])('$name: $listens', ({ text, listens }) => {
    expect(listensOn(text, 22)).toBe(listens);
  });
});

test('parseInUse', () => {
  const text = 'sockets: used 114\nTCP: inuse 12 orphan 4 tw 0 alloc 133 mem 0\nUDP: inuse 3 mem 0\nUDPLITE: inuse 7\n';
  expect(parseInUse(text, 'TCP')).toBe(12);
  expect(parseInUse(text, 'UDP')).toBe(3);
  expect(parseInUse(text, 'TCP6')).toBe(0);
  expect(parseInUse('TCP6: inuse 1\nUDP6: inuse 0\n', 'TCP6')).toBe(1);
  expect(parseInUse('', 'UDP6')).toBe(0);
});
