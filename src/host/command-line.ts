import { readFile } from 'node:fs/promises';
import { hasCode } from './error-code.ts';

/** A program and its arguments; empty where there is no such process. */
export async function commandLine(pid: number): Promise<readonly string[]> {
  try {
    return (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH')) return [];
    throw error;
  }
}
