/**
 * How fast the host's time stamp counter runs. A guest in software emulation reads that very counter, and tries to
 * measure it against an emulated timer: that fails in one boot of ten on an idle host and in most on a busy one, and the
 * guest hangs. Told the figure (`tsc_early_khz=`) it has nothing to measure.
 */
import { readFile } from 'node:fs/promises';
import { ProcessError, run } from '../../host/process.ts';

const DMESG_TIMEOUT_MS = 5_000;
const CLOCKSOURCE = '/sys/devices/system/clocksource/clocksource0/current_clocksource';

export interface HostTsc {
  readonly khz: number;
  /** The host keeps its own time by the counter: it never stops, and all processors' counters agree. */
  readonly trusted: boolean;
}

/** @returns undefined where the host does not tell: it is no x86 then. */
export async function readHostTsc(): Promise<HostTsc | undefined> {
  const khz = tscKhzFromKernelLog(await kernelLog()) ?? tscKhzFromCpuinfo(await readFile('/proc/cpuinfo', 'utf8'));
  if (khz === undefined) return undefined;
  return { khz, trusted: keepsTimeByTsc(await readFile(CLOCKSOURCE, 'utf8')) };
}

/** The kernel's log; empty where we may not read it (`kernel.dmesg_restrict`). */
async function kernelLog(): Promise<string> {
  try {
    return (await run(['dmesg'], { timeoutMs: DMESG_TIMEOUT_MS })).stdout;
  } catch (error) {
    if (error instanceof ProcessError) return '';
    throw error;
  }
}

/** What the host's kernel measured, the most refined figure it gives: `tsc: Detected 2596.094 MHz processor`. */
export function tscKhzFromKernelLog(log: string): number | undefined {
  const patterns = [
    /tsc: Refined TSC clocksource calibration: (\d+\.\d+) MHz/,
    /tsc: Detected (\d+\.\d+) MHz TSC/,
    /tsc: Detected (\d+\.\d+) MHz processor/,
  ];
  for (const pattern of patterns) {
    const megahertz = pattern.exec(log)?.[1];
    if (megahertz !== undefined) return plausible(Math.round(Number(megahertz) * 1000));
  }
  return undefined;
}

/**
 * From `bogomips`: the kernel does not measure its delay loop but derives it from the counter, and the figure is the
 * counter's MHz times two (init/calibrate.c: "value calculated using timer frequency").
 */
export function tscKhzFromCpuinfo(cpuinfo: string): number | undefined {
  const bogomips = /^bogomips\s*:\s*(\d+\.\d+)$/m.exec(cpuinfo)?.[1];
  return bogomips === undefined ? undefined : plausible(Math.round(Number(bogomips) * 500));
}

/** @param clocksource what the host keeps its time by; a hypervisor's own clocks are the counter too, scaled. */
export function keepsTimeByTsc(clocksource: string): boolean {
  return ['tsc', 'kvm-clock', 'hyperv_clocksource_tsc_page'].includes(clocksource.trim());
}

/** A figure that no x86 processor has would only make the guest's clock wrong. */
function plausible(khz: number): number | undefined {
  return khz >= 100_000 && khz <= 10_000_000 ? khz : undefined;
}
