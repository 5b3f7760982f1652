import { readFileSync, watch } from 'node:fs';
import { dirname } from 'node:path';
import { hasCode } from '../../src/host/error-code.ts';

/** A process is alive unless it is gone or only waits to be reaped. */
export function isRunning(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH')) return false;
    throw error;
  }
}

/** Waits until a file holds a whole line, and returns it. The test's own timeout bounds the wait. */
export async function waitForLine(path: string, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      const line = firstLine(path);
      if (line === undefined) return;
      watcher.close();
      resolve(line);
    };
    // Watching begins before the first look, so nothing written in between is missed.
    const watcher = watch(dirname(path), { signal }, look);
    watcher.once('error', reject);
    look();
  });
}

function firstLine(path: string): string | undefined {
  try {
    const text = readFileSync(path, 'utf8');
    return text.includes('\n') ? text.slice(0, text.indexOf('\n')) : undefined;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}
