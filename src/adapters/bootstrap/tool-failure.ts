import { AppError, describe } from '../../core/app-error.ts';
import { hasCode } from '../../host/error-code.ts';
import { ProcessError } from '../../host/process.ts';

/** Lines of a tool's output that an error carries. */
const LAST_WORDS = 12;

/** What Debian's packages are called that hold our tools; where it is not the tool's own name. */
const PACKAGES: Readonly<Record<string, string>> = { 'mkfs.ext4': 'e2fsprogs', unshare: 'util-linux' };

/**
 * A failure of bootstrapping in the catalogue's words.
 *
 * @returns the signal's reason where it was aborted; AppError HOST_TOOL_MISSING, DISK_FULL, or BOOTSTRAP_FAILED with
 * the tool's last words; what is neither a tool's nor the disk's failure unchanged.
 */
export function bootstrapFailure(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  if (error instanceof AppError) return error;
  if (error instanceof ProcessError) return toolFailure(error);
  if (hasCode(error, 'ENOSPC', 'EDQUOT')) {
    return new AppError('DISK_FULL', `The disk became full: ${describe(error)}`, { cause: error });
  }
  return error;
}

function toolFailure(error: ProcessError): AppError {
  if (error.failure === 'not-found') return toolMissing(error.program, error);
  // It only makes the namespaces that mmdebstrap runs in.
  const program = error.program === 'unshare' ? 'mmdebstrap' : error.program;
  const words = `${error.stdout}\n${error.stderr}`.trim().split('\n').slice(-LAST_WORDS);
  const details = { program, exitStatus: error.exitStatus, words };
  if (words.some((line) => /no space left on device|have enough free space/i.test(line))) {
    return new AppError('DISK_FULL', `The disk became full while ${program} ran.`, { details, cause: error });
  }
  // `unshare` says so of the program it was to start.
  const missing = /^unshare: failed to execute (\S+): No such file or directory$/m.exec(error.stderr)?.[1];
  if (missing !== undefined) return toolMissing(missing, error);
  // The first of apt's and mmdebstrap's errors is the cause; those after it say what failed because of it.
  const reason = words.find((line) => line.startsWith('E: '))?.slice('E: '.length) ?? words.at(-1);
  return new AppError('BOOTSTRAP_FAILED', reason ? `${program}: ${reason}` : error.message, {
    details,
    cause: error,
  });
}

function toolMissing(program: string, cause: ProcessError): AppError {
  return new AppError('HOST_TOOL_MISSING', `The program ${program} is not installed.`, {
    hint: `apt-get install ${PACKAGES[program] ?? program}`,
    cause,
  });
}
