import { describe, expect, test } from 'vitest';
import { parseCpu, parseLoad, parseMemory } from '../../../../../guest/agent/proc/facts.ts';
import { parseDiskMounts } from '../../../../../guest/agent/proc/mounts.ts';
import { hasNetwork } from '../../../../../guest/agent/proc/route.ts';

test.each([
  ['0.71 1.20 0.55 2/137 5120\n', [0.71, 1.2, 0.55]],
  ['', [0, 0, 0]],
  ['x y z', [0, 0, 0]],
  ['-1 NaN Infinity', [0, 0, 0]],
])('parseLoad(%j)', (text, load) => {
  expect(parseLoad(text)).toEqual(load);
});

describe('parseMemory', () => {
  const MEMINFO = `MemTotal:        1004404 kB
MemFree:          713452 kB
MemAvailable:     843208 kB
SwapCached:            4 kB
SwapTotal:        524284 kB
SwapFree:         524280 kB
HugePages_Total:       0
`;

  test('kilobytes of the kernel to bytes', () => {
    expect(parseMemory(MEMINFO)).toEqual({
      totalBytes: 1_004_404 * 1024,
      availableBytes: 843_208 * 1024,
      swapTotalBytes: 524_284 * 1024,
      swapFreeBytes: 524_280 * 1024,
    });
  });

  test('what is missing is 0', () => {
    expect(parseMemory('')).toEqual({ totalBytes: 0, availableBytes: 0, swapTotalBytes: 0, swapFreeBytes: 0 });
  });
});

test.each([
  ['cpu  100 20 30 800 50 1 2 3 4 5\ncpu0 1 2 3\n', { busyMs: 1_560, totalMs: 10_060 }],
  ['cpu  10 0 10 80 0 0 0\n', { busyMs: 200, totalMs: 1_000 }],
  ['', { busyMs: 0, totalMs: 0 }],
  ['cpux 1 2', { busyMs: 0, totalMs: 0 }],
])('parseCpu(%j)', (text, cpu) => {
  expect(parseCpu(text)).toEqual(cpu);
});

test.each<{ name: string; text: string; paths: string[] }>([
  { name: 'nothing', text: '', paths: ['/'] },
  {
    name: 'a guest',
    text: '/dev/vda / ext4 rw 0 0\nproc /proc proc rw 0 0\ntmpfs /run tmpfs rw 0 0\n/dev/vdb /root ext4 rw 0 0\n',
    paths: ['/', '/root'],
  },
  {
    name: 'the same device again',
    text: '/dev/vdb /data ext4 rw 0 0\n/dev/vda / ext4 rw 0 0\n/dev/vda /mnt ext4 rw 0 0\n/dev/vdb /again ext4 rw 0 0\n',
    paths: ['/', '/data'],
  },
  { name: 'spaces in a name', text: '/dev/vdb /my\\040disk\\134x ext4 rw 0 0\n', paths: ['/', '/my disk\\x'] },
])('parseDiskMounts: $name', ({ text, paths }) => {
  expect(parseDiskMounts(text)).toEqual(paths);
});

describe('hasNetwork', () => {
  const HEAD = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n';
  const isCard = (name: string): boolean => name === 'eth0';
  const route = (name: string, destination: string, flags: string): string =>
    `${HEAD}${name}\t${destination}\t0100004D\t${flags}\t0\t0\t0\t00000000\t0\t0\t0\n`;

  test.each<{ name: string; text: string; has: boolean }>([
    { name: 'nothing', text: '', has: false },
    { name: 'no route', text: HEAD, has: false },
    { name: 'the card’s own network', text: route('eth0', '0000004D', '0001'), has: true },
    { name: 'the default route', text: route('eth0', '00000000', '0003'), has: true },
    { name: 'the default route of a bridge', text: route('br0', '00000000', '0003'), has: true },
    { name: 'the network of containers', text: route('docker0', '000011AC', '0001'), has: false },
    { name: 'a route that is not in use', text: route('eth0', '00000000', '0000'), has: false },
    { name: 'the loopback', text: route('lo', '00000000', '0001'), has: false },
  ])('$name: $has', ({ text, has }) => {
    expect(hasNetwork(text, isCard)).toBe(has);
  });
});
