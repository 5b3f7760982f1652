import { describe, expect, test } from 'vitest';
import { keepsTimeByTsc, tscKhzFromCpuinfo, tscKhzFromKernelLog } from '../../../../src/adapters/qemu/host-tsc.ts';

describe('tscKhzFromKernelLog', () => {
  test.each([
    ['[    0.000058] tsc: Detected 2596.094 MHz processor', 2_596_094],
    ['[    0.0] tsc: Detected 2600.000 MHz processor\n[    0.0] tsc: Detected 2592.000 MHz TSC', 2_592_000],
    ['tsc: Detected 2592.000 MHz TSC\n[    1.6] tsc: Refined TSC clocksource calibration: 2591.998 MHz', 2_591_998],
    ['[    0.1] tsc: Marking TSC unstable', undefined],
    ['tsc: Detected 0.001 MHz processor', undefined],
    ['', undefined],
  ])('%j is %j kHz', (log, khz) => {
    expect(tscKhzFromKernelLog(log)).toBe(khz);
  });
});

describe('tscKhzFromCpuinfo', () => {
  const cpuinfo = (flags: string, bogomips: string): string =>
    `processor\t: 0\ncpu MHz\t\t: 800.000\nflags\t\t: fpu ${flags} sse\nbogomips\t: ${bogomips}\n`;

  test('half the bogomips of a processor with a steady counter', () => {
    expect(tscKhzFromCpuinfo(cpuinfo('constant_tsc', '5192.18'))).toBe(2_596_090);
  });

  test.each([
    ['the counter changes its speed', cpuinfo('tsc', '5192.18')],
    ['there is no such line', 'processor\t: 0\nflags\t\t: constant_tsc\n'],
    ['the figure is absurd', cpuinfo('constant_tsc', '0.10')],
    ['it is another kind of processor', 'processor\t: 0\nBogoMIPS\t: 50.00\nFeatures\t: fp asimd\n'],
  ])('nothing where %s', (_why, text) => {
    expect(tscKhzFromCpuinfo(text)).toBeUndefined();
  });
});

test.each([
  ['tsc\n', true],
  ['kvm-clock\n', true],
  ['hpet\n', false],
  ['acpi_pm', false],
])('a host whose clock source is %j keeps time by its counter: %j', (clocksource, yes) => {
  expect(keepsTimeByTsc(clocksource)).toBe(yes);
});
