import { ERRORS, type ErrorBody, type ErrorCode } from '../contracts/errors.ts';

interface AppErrorOptions {
  /** What to do, where the catalogue's hint is too general. */
  readonly hint?: string;
  /** Facts for the reader and the log; never a secret. */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** An error with a permanent code from the catalogue; the only kind core and daemon throw. */
export class AppError extends Error {
  override readonly name = 'AppError';
  readonly code: ErrorCode;
  readonly hint: string;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.code = code;
    this.hint = options.hint ?? ERRORS[code].hint;
    this.details = options.details ?? {};
  }

  get status(): number {
    return ERRORS[this.code].status;
  }

  toBody(operationId?: string): ErrorBody {
    return {
      code: this.code,
      message: this.message,
      hint: this.hint,
      details: { ...this.details },
      ...(operationId === undefined ? {} : { operationId }),
    };
  }
}

/** The reason a signal was aborted with, or `error` itself: an abort is reported as what caused it. */
export function abortCause(signal: AbortSignal, error: unknown): unknown {
  return signal.aborted && signal.reason instanceof AppError ? signal.reason : error;
}

/**
 * Any thrown value as an AppError; what is not one becomes INTERNAL with its cause kept.
 * Of several errors the first speaks, and the others are named in its details.
 */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (error instanceof AggregateError && error.errors.length > 0) {
    const first = toAppError(error.errors[0]);
    return new AppError(first.code, first.message, {
      hint: first.hint,
      details: { ...first.details, alsoFailed: error.errors.slice(1).map(describe) },
      cause: error,
    });
  }
  if (isDiskFull(error)) return new AppError('DISK_FULL', `The disk is full: ${describe(error)}`, { cause: error });
  return new AppError('INTERNAL', `Unexpected fault: ${describe(error)}`, { cause: error });
}

/** What the file system says where no space, or none of the user's quota, is left; any write may meet it. */
function isDiskFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
}

/** A thrown value in one line. */
export function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
