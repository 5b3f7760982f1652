import { readFile } from 'node:fs/promises';
import type { HostUsage, ProcessUsage } from '../../core/vms/ports.ts';
import { hasCode } from '../../host/error-code.ts';

/** `USER_HZ`: the unit of times in /proc, the same on every Linux (proc(5), sysconf(_SC_CLK_TCK)). */
const TICK_MS = 10;
const PAGE_BYTES = 4096;

export const hostUsage: HostUsage = {
  async ofProcess(pid) {
    try {
      return usageFromStat(await readFile(`/proc/${pid}/stat`, 'utf8'));
    } catch (error) {
      if (hasCode(error, 'ENOENT', 'ESRCH')) {
        return undefined;
      }
      throw error;
    }
  },
};

/** From /proc/PID/stat: `utime` and `stime` (fields 14 and 15), `rss` (24, pages). */
export function usageFromStat(stat: string): ProcessUsage {
  // The command name in parentheses may hold anything, so fields are counted from its end.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const field = (number: number): number => Number(fields[number - 3] ?? 0);
  return { cpuMs: (field(14) + field(15)) * TICK_MS, residentBytes: field(24) * PAGE_BYTES };
}
