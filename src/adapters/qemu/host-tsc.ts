/**
 * How fast the host's time stamp counter runs. A guest in software emulation reads that very counter, but about one
 * boot in ten fails to measure it and hangs; told the figure (`tsc_early_khz=`) it has nothing to measure.
 */
import { readFile } from 'node:fs/promises';
import { ProcessError, run } from '../../host/process.ts';

const DMESG_TIMEOUT_MS = 5_000;

export interface HostTsc {
  readonly khz: number;
  /** All processors' counters agree and never stop: the host keeps its own time by them. */
  readonly synchronised: boolean;
}

/** @returns undefined where the host does not tell, or its counter changes speed. */
export async function readHostTsc(): Promise<HostTsc | undefined> {
  const cpuinfo = await readFile('/proc/cpuinfo', 'utf8');
  if (!hasSteadyTsc(cpuinfo)) return undefined;
  const khz = tscKhzFromKernelLog(await kernelLog()) ?? tscKhzFromCpuinfo(cpuinfo);
  if (khz === undefined) return undefined;
  const clocksource = await readFile('/sys/devices/system/clocksource/clocksource0/current_clocksource', 'utf8');
  return { khz, synchronised: keepsTimeByTsc(clocksource) };
}

/** `kvm-clock` is the counter too, scaled by the host below ours. */
export function keepsTimeByTsc(clocksource: string): boolean {
  return ['tsc', 'kvm-clock'].includes(clocksource.trim());
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
 * From `bogomips`: with a steady counter the kernel does not measure its delay loop but derives it, and the figure is
 * the counter's MHz times two (arch/x86/kernel/tsc.c, init/calibrate.c: "value calculated using timer frequency").
 */
export function tscKhzFromCpuinfo(cpuinfo: string): number | undefined {
  const bogomips = /^bogomips\s*:\s*(\d+\.\d+)$/m.exec(cpuinfo)?.[1];
  return hasSteadyTsc(cpuinfo) && bogomips !== undefined ? plausible(Math.round(Number(bogomips) * 500)) : undefined;
}

/** One speed at every load. @param cpuinfo /proc/cpuinfo */
function hasSteadyTsc(cpuinfo: string): boolean {
  return /^flags\s*:.*\bconstant_tsc\b/m.test(cpuinfo);
}

/** A figure that no x86 processor has would only make the guest's clock wrong. */
function plausible(khz: number): number | undefined {
  return khz >= 100_000 && khz <= 10_000_000 ? khz : undefined;
}
