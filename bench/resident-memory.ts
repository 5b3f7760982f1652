/** @param rollup the text of a process's /proc/PID/smaps_rollup (proc_pid_smaps(5)). @returns 10^6 bytes. */
export function residentMb(rollup: string): number {
  return (Number(/^Rss:\s+(\d+) kB$/m.exec(rollup)?.[1]) * 1024) / 1e6;
}
