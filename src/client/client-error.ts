import type { ErrorBody, ErrorCode } from '../contracts/errors.ts';

interface ClientErrorOptions {
  /** What to do; left out: the catalogue's hint, filled in where the error is shown. */
  readonly hint?: string | undefined;
  readonly details?: Readonly<Record<string, unknown>> | undefined;
  readonly operationId?: string | undefined;
  readonly cause?: unknown;
}

/**
 * An error with a code from the catalogue: the daemon's, or one found before the daemon was asked.
 * The catalogue itself is not imported: it brings zod, which costs more than a short command.
 */
export class ClientError extends Error {
  override readonly name = 'ClientError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly details: Readonly<Record<string, unknown>>;
  readonly operationId: string | undefined;

  constructor(code: ErrorCode, message: string, options: ClientErrorOptions = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
    this.details = options.details ?? {};
    this.operationId = options.operationId;
  }

  static fromBody(body: ErrorBody): ClientError {
    return new ClientError(body.code, body.message, body);
  }
}

/** Any JSON as an error body; undefined where it is none. A newer daemon's unknown code is kept as it is. */
export function readErrorBody(value: unknown): ErrorBody | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { code, message, hint, details, operationId } = value as Partial<Record<string, unknown>>;
  if (typeof code !== 'string' || typeof message !== 'string') return undefined;
  return {
    code: code as ErrorCode,
    message,
    hint: typeof hint === 'string' ? hint : '',
    details: typeof details === 'object' && details !== null ? { ...details } : {},
    ...(typeof operationId === 'string' ? { operationId } : {}),
  };
}
