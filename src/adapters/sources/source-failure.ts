import { abortCause, AppError, describe } from '../../core/app-error.ts';
import { hasCode } from '../../host/error-code.ts';
import { ProcessError } from '../../host/process.ts';

export interface SourceName {
  /** `tpm at 1a2b3c4`, `opencode-linux-x64@1.2.3`. */
  readonly what: string;
  readonly address: string;
}

/**
 * What a fetch that failed means: cancelled, a tool that is missing, a full disk, or a source that cannot be had.
 *
 * @param wordsOf the tool's own words, where the end of its output does not say why.
 */
export function sourceFailure(
  error: unknown,
  source: SourceName,
  signal: AbortSignal,
  wordsOf: (error: ProcessError) => string | undefined = () => undefined,
): unknown {
  if (signal.aborted) return abortCause(signal, error);
  if (error instanceof AppError) return error;
  if (error instanceof ProcessError && error.failure === 'not-found') {
    return new AppError(
      'HOST_TOOL_MISSING',
      `${error.program} is needed to fetch ${source.what}, and is not installed.`,
      {
        details: { program: error.program },
        cause: error,
      },
    );
  }
  if (isDiskFull(error)) {
    return new AppError('DISK_FULL', `There is no room to fetch ${source.what}.`, {
      details: { source: source.what },
      cause: error,
    });
  }
  const words = (error instanceof ProcessError ? wordsOf(error) : undefined) ?? describe(error);
  return unreachable(source, `could not be fetched from ${source.address}: ${words}`, error);
}

/** Ours, or in the words of npm (`ENOSPC`) and git. */
function isDiskFull(error: unknown): boolean {
  if (error instanceof ProcessError) return /ENOSPC|No space left on device/.test(error.stdout + error.stderr);
  return hasCode(error, 'ENOSPC');
}

/** @param why goes on from the source's name: "could not be fetched from ...". */
export function unreachable(source: SourceName, why: string, cause?: unknown): AppError {
  return new AppError('SOURCE_UNREACHABLE', `${source.what} ${why}`, {
    details: { source: source.what, address: source.address },
    cause,
  });
}
