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
  test.each([
    ['half the bogomips', 'processor\t: 0\ncpu MHz\t\t: 800.000\nbogomips\t: 5192.18\n', 2_596_090],
    ['nothing where there is no such line', 'processor\t: 0\n', undefined],
    ['nothing where the figure is absurd', 'bogomips\t: 0.10\n', undefined],
    ['nothing on another kind of processor', 'processor\t: 0\nBogoMIPS\t: 50.00\nFeatures\t: fp asimd\n', undefined],
  ])('%s', (_what, cpuinfo, khz) => {
    expect(tscKhzFromCpuinfo(cpuinfo)).toBe(khz);
  });
});

test.each([
  ['tsc\n', true],
  ['kvm-clock\n', true],
  ['hyperv_clocksource_tsc_page\n', true],
  ['hpet\n', false],
  ['acpi_pm', false],
])('a host whose clock source is %j keeps time by its counter: %j', (clocksource, yes) => {
  expect(keepsTimeByTsc(clocksource)).toBe(yes);
});
