/** Runs the filesystem tools and tells their failures in the catalogue's words. */
import { AppError, abortCause } from '../../core/app-error.ts';
import { ProcessError, type RunOptions, type RunResult, run } from '../../host/process.ts';

/** Far above what a whole check of a large disk takes; a tool that hangs must not hang us. */
const TOOL_TIMEOUT_MS = 30 * 60_000;

/**
 * @throws AppError HOST_TOOL_MISSING, DISK_FULL or HOST_TOOL_FAILED with the tool's own last words;
 * the signal's reason where it was aborted.
 */
export async function runTool(argv: readonly [string, ...string[]], options: RunOptions = {}): Promise<RunResult> {
  try {
    return await run(argv, {
      timeoutMs: TOOL_TIMEOUT_MS,
      ...options,
      // Messages are parsed, so they must not be translated.
      env: { ...options.env, LC_ALL: 'C' },
    });
  } catch (error) {
    if (!(error instanceof ProcessError)) throw error;
    if (options.signal?.aborted) throw abortCause(options.signal, error);
    throw toolFailure(error);
  }
}

function toolFailure(error: ProcessError): AppError {
  const details = { program: error.program, exitStatus: error.exitStatus, stderr: error.stderr.slice(-2000) };
  if (error.failure === 'not-found') {
    return new AppError('HOST_TOOL_MISSING', `The program ${error.program} is not installed.`, {
      details,
      cause: error,
    });
  }
  if (/no space left on device/i.test(error.stderr)) {
    return new AppError('DISK_FULL', `The disk became full while ${error.program} ran.`, { details, cause: error });
  }
  return new AppError('HOST_TOOL_FAILED', error.message, { details, cause: error });
}
