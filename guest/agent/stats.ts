import type { AgentStats } from '../../src/contracts/agent-messages.ts';
import { parseCpu, parseLoad, parseMemory } from './proc/facts.ts';
import { parseDiskMounts } from './proc/mounts.ts';
import type { Sys } from './sys.ts';

const MAX_DISKS = 16;
const MAX_PATH_LENGTH = 256;
/** The line of all processors is the first; interrupts follow, which may be thousands of bytes. */
const STAT_HEAD_BYTES = 512;

export function readStats(sys: Sys): AgentStats {
  const text = (path: string, maxBytes?: number): string => sys.readText(path, maxBytes) ?? '';
  return {
    uptimeMs: sys.bootTimeMs(),
    load: parseLoad(text('/proc/loadavg')),
    cpu: parseCpu(text('/proc/stat', STAT_HEAD_BYTES)),
    memory: parseMemory(text('/proc/meminfo')),
    disks: parseDiskMounts(text('/proc/mounts'))
      .filter((path) => path.length <= MAX_PATH_LENGTH)
      .slice(0, MAX_DISKS)
      .flatMap((path) => {
        const sizes = sys.statFs(path);
        return sizes ? [{ path, ...sizes }] : [];
      }),
  };
}
