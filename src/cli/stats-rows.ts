/** What VMs use as a table: pure. */
import { formatSize } from '../contracts/size.ts';
import type { VmStats } from '../contracts/vm.ts';
import type { Column } from './table.ts';
import { formatDuration } from './terminal-text.ts';

export const STATS_COLUMNS: readonly Column[] = [
  { title: 'NAME', least: 14 },
  { title: 'CPU', align: 'right' },
  { title: 'MEMORY' },
  { title: 'DISK' },
  { title: 'LOAD', leaveOut: 2 },
  { title: 'UPTIME', align: 'right', leaveOut: 1 },
  { title: 'HOST MEMORY', align: 'right', leaveOut: 3 },
];

/** Unknown without a look before, or where the guest has no agent. */
const UNKNOWN = '-';

/** @param before the look before this one, for what is counted since a start. */
export function statsRow(now: VmStats, before: VmStats | undefined): readonly string[] {
  const { guest, vmm } = now;
  return [
    now.name,
    cpuPercent(now, before),
    guest
      ? used(guest.memory.totalBytes - guest.memory.availableBytes, guest.memory.totalBytes)
      : `${UNKNOWN} / ${formatSize(now.memoryBytes)}`,
    diskUse(now),
    guest ? (guest.load[0]?.toFixed(2) ?? UNKNOWN) : UNKNOWN,
    guest ? formatDuration(guest.uptimeMs) : UNKNOWN,
    vmm ? formatSize(vmm.residentBytes) : UNKNOWN,
  ];
}

/** Of one processor, as top(1) counts: a VM with two may use 200 %. The VMM's own work is in it. */
function cpuPercent(now: VmStats, before: VmStats | undefined): string {
  if (!now.vmm || !before?.vmm) return UNKNOWN;
  const elapsedMs = Date.parse(now.at) - Date.parse(before.at);
  const usedMs = now.vmm.cpuMs - before.vmm.cpuMs;
  return elapsedMs > 0 && usedMs >= 0 ? `${Math.round((usedMs / elapsedMs) * 100)} %` : UNKNOWN;
}

/** The guest's word for its first filesystem, else what the disk takes on the host. */
function diskUse(stats: VmStats): string {
  const root = stats.guest?.disks[0];
  if (root) return used(root.totalBytes - root.availableBytes, root.totalBytes);
  return used(stats.diskAllocatedBytes, stats.diskBytes);
}

function used(usedBytes: number, totalBytes: number): string {
  return `${formatSize(Math.max(0, usedBytes))} / ${formatSize(totalBytes)}`;
}
