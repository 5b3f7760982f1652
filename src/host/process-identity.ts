/** Who a process is, beyond its pid: pids are used again, a pid with its start time and boot is not. */
import { readFile } from 'node:fs/promises';
import { hasCode } from './error-code.ts';

export interface ProcessIdentity {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat (proc(5)): clock ticks since boot. */
  readonly startTimeTicks: number;
  /** /proc/sys/kernel/random/boot_id: changes with every boot of the host. */
  readonly bootId: string;
}

export async function hostBootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
}

/** @returns undefined where no process has this pid, or it has ended and only waits to be reaped. */
export async function identifyProcess(pid: number): Promise<ProcessIdentity | undefined> {
  let stat: string;
  try {
    stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH')) {
      return undefined;
    }
    throw error;
  }
  // The command name in parentheses may hold anything, so fields are counted from its end.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
  return { pid, startTimeTicks: Number(fields[19]), bootId: await hostBootId() };
}

/** True where the very process that `identity` describes is alive. */
export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  const found = await identifyProcess(identity.pid);
  return found?.startTimeTicks === identity.startTimeTicks && found.bootId === identity.bootId;
}

/**
 * Sends a signal to the very process that `identity` describes, and to nobody else.
 *
 * @returns false where it is gone.
 */
export async function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): Promise<boolean> {
  if (!(await isAlive(identity))) return false;
  try {
    process.kill(identity.pid, signal);
    return true;
  } catch (error) {
    if (hasCode(error, 'ESRCH')) return false;
    throw error;
  }
}
