/** Parsers of the small files of /proc. A file that is not as expected gives zeros: a figure is missing, no more. */

/** /proc/loadavg: over 1, 5 and 15 minutes. */
export function parseLoad(text: string): [one: number, five: number, fifteen: number] {
  const [one, five, fifteen] = text.split(' ').map(orZero);
  return [one ?? 0, five ?? 0, fifteen ?? 0];
}

export interface Memory {
  readonly totalBytes: number;
  readonly availableBytes: number;
  readonly swapTotalBytes: number;
  readonly swapFreeBytes: number;
}

/** /proc/meminfo. */
export function parseMemory(text: string): Memory {
  const bytesOf = (name: string): number =>
    orZero(new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(text)?.[1] ?? '') * 1024;
  return {
    totalBytes: bytesOf('MemTotal'),
    availableBytes: bytesOf('MemAvailable'),
    swapTotalBytes: bytesOf('SwapTotal'),
    swapFreeBytes: bytesOf('SwapFree'),
  };
}

/** What the kernel counts processor time in for programs: USER_HZ, the same on every architecture that we know. */
const TICK_MS = 10;

/** First line of /proc/stat: processor time since boot over all processors, `ms`. */
export function parseCpu(text: string): { readonly busyMs: number; readonly totalMs: number } {
  const fields = /^cpu +([\d ]+)$/m.exec(text)?.[1]?.split(' ').map(orZero) ?? [];
  // user, nice, system, idle, iowait, irq, softirq, steal; what guests took follows, and is in user and nice already.
  const totalTicks = fields.slice(0, 8).reduce((sum, ticks) => sum + ticks, 0);
  const idleTicks = (fields[3] ?? 0) + (fields[4] ?? 0);
  return { busyMs: (totalTicks - idleTicks) * TICK_MS, totalMs: totalTicks * TICK_MS };
}

function orZero(text: string): number {
  const value = Number(text);
  return Number.isFinite(value) && value >= 0 ? value : 0;
}
