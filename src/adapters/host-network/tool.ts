/** Runs the network's programs and tells their failures in the catalogue's words. */
import { AppError, abortCause } from '../../core/app-error.ts';
import { ProcessError, type RunResult, run } from '../../host/process.ts';

/** Netlink answers in milliseconds; a program that hangs must not hang us. */
const TOOL_TIMEOUT_MS = 15_000;

/** The Debian package of each program. */
const PACKAGES: Readonly<Record<string, string>> = {
  ip: 'iproute2',
  bridge: 'iproute2',
  nft: 'nftables',
  pasta: 'passt',
  mount: 'mount',
};

export interface ToolOptions {
  readonly signal?: AbortSignal;
  readonly input?: string;
  readonly cwd?: string;
  readonly okStatuses?: readonly number[];
}

/**
 * @throws AppError HOST_TOOL_MISSING, NETWORK_UNAVAILABLE with the program's own words; the signal's reason where it
 * was aborted.
 */
export async function runTool(argv: readonly [string, ...string[]], options: ToolOptions = {}): Promise<RunResult> {
  try {
    // Messages are parsed, so they must not be translated.
    return await run(argv, { timeoutMs: TOOL_TIMEOUT_MS, ...options, env: { LC_ALL: 'C' } });
  } catch (error) {
    if (!(error instanceof ProcessError)) throw error;
    if (options.signal?.aborted) throw abortCause(options.signal, error);
    throw toolFailure(error);
  }
}

/** A program's failure as an AppError, with the command that mends it where that is known. */
export function toolFailure(error: ProcessError): AppError {
  const details = { program: error.program, exitStatus: error.exitStatus, stderr: error.stderr.slice(-2000) };
  if (error.failure === 'not-found') {
    return new AppError('HOST_TOOL_MISSING', `The program ${error.program} is not installed.`, {
      hint: `apt-get install ${PACKAGES[error.program] ?? error.program}`,
      details,
      cause: error,
    });
  }
  if (/operation not permitted|permission denied|you must be root/i.test(error.stderr)) {
    return new AppError('NETWORK_UNAVAILABLE', `${error.program} may not change the network: ${error.message}`, {
      hint: 'Run banger as root.',
      details,
      cause: error,
    });
  }
  return new AppError('NETWORK_UNAVAILABLE', error.message, { details, cause: error });
}
