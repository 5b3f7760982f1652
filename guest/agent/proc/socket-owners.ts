import type { Sys } from '../sys.ts';

export interface SocketOwner {
  readonly pid: number;
  readonly process: string;
}

/** Far more than a process or a guest has; what lies beyond is found by nobody. */
const MAX_PROCESSES = 8192;
const MAX_FILES_OF_PROCESS = 4096;
const MAX_FILES = 65_536;
const SOCKET_LINK = /^socket:\[(\d+)\]$/;

/**
 * Looks for processes that have sockets open, by /proc/PID/fd.
 *
 * Of several the one with the lowest pid is taken: the one that the others came from. The first process of all is asked
 * last: it opens sockets for services and keeps them open.
 */
export function findSocketOwners(sys: Sys, inodes: ReadonlySet<string>): Map<string, SocketOwner> {
  const owners = new Map<string, SocketOwner>();
  let files = 0;
  for (const pid of processIds(sys)) {
    if (owners.size === inodes.size || files > MAX_FILES) break;
    for (const fd of sys.listDir(`/proc/${pid}/fd`, MAX_FILES_OF_PROCESS)) {
      files += 1;
      const inode = SOCKET_LINK.exec(sys.readLink(`/proc/${pid}/fd/${fd}`) ?? '')?.[1];
      if (inode === undefined || !inodes.has(inode) || owners.has(inode)) continue;
      const process = sys.readText(`/proc/${pid}/comm`)?.replace(/\n$/, '') ?? '';
      if (process !== '') owners.set(inode, { pid, process });
    }
  }
  return owners;
}

function processIds(sys: Sys): readonly number[] {
  const pids = sys
    .listDir('/proc', MAX_PROCESSES)
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
  const order = (pid: number): number => (pid === 1 ? Infinity : pid);
  return pids.toSorted((one, other) => order(one) - order(other));
}
