/** The daemon's log: JSON lines in one file, of bounded size, without secrets. */
import { renameSync, statSync } from 'node:fs';
import { type Logger, pino } from 'pino';
import type { Config } from '../contracts/config.ts';

export type Log = Logger;

/** A log larger than this is set aside when the daemon starts, `bytes`; one older log is kept. */
const ROTATE_BYTES = 10 * 2 ** 20;

/** Fields that are never written, wherever they stand. pino knows no "at any depth": three levels hold all we log. */
const SECRET_FIELDS = ['privateKey', 'password', 'passphrase', 'token', 'authorization', 'proxyAuthorization'];

export interface LogOptions {
  readonly path: string;
  readonly level: Config['log_level'];
  readonly rotateBytes?: number;
}

/**
 * Opens the log for appending, 0600. Lines are written at once: the last words before a crash are the ones wanted.
 *
 * @throws the file system's own error where it cannot be opened.
 */
export function openLog(options: LogOptions): Log {
  rotate(options.path, options.rotateBytes ?? ROTATE_BYTES);
  const file = pino.destination({ dest: options.path, sync: true, append: true, mode: 0o600 });
  // A log that cannot be written (a full disk) must not take the daemon with it.
  // The daemon's stderr is that very file mostly, and fails with it: nobody is left to be told then.
  process.stderr.on('error', () => undefined);
  file.on('error', (error: Error) => {
    process.stderr.write(`bangerd: the log ${options.path} cannot be written: ${error.message}\n`);
  });
  return pino(
    {
      level: options.level,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: {
        paths: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]),
        censor: '[hidden]',
      },
    },
    file,
  );
}

function rotate(path: string, limitBytes: number): void {
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > limitBytes) renameSync(path, `${path}.1`);
}
