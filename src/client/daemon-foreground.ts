import { attach } from '../host/process.ts';
import { daemonArgv } from './daemon-program.ts';

/**
 * Runs the daemon on our own terminal until it ends.
 *
 * @returns its exit status; 75 where another daemon runs.
 */
export function runDaemonInForeground(): Promise<number> {
  return attach(daemonArgv());
}
