/** The one place where an error becomes a reply. */
import { ERRORS } from '../contracts/errors.ts';
import { AppError, toAppError } from '../core/app-error.ts';
import type { Log } from './log.ts';

export interface ErrorScope {
  readonly log: Log;
  /** Told to the client where the fault is ours. */
  readonly logPath: string;
  readonly requestId: string;
}

/** Logs what deserves it. @returns what the client is told. */
export function toReplyError(error: unknown, scope: ErrorScope): AppError {
  const found = toAppError(error);
  if (found.code === 'INTERNAL') {
    scope.log.error({ err: error, requestId: scope.requestId }, 'request failed by a fault of ours');
    return new AppError(
      'INTERNAL',
      `A fault in banger itself; ${scope.logPath} tells more (request ${scope.requestId})`,
      {
        details: { requestId: scope.requestId, logPath: scope.logPath },
      },
    );
  }
  const level = ERRORS[found.code].status >= 500 ? 'warn' : 'debug';
  scope.log[level]({ err: found, code: found.code, requestId: scope.requestId }, 'request refused');
  return found;
}

/** An error as an HTTP reply. */
export function errorResponse(error: AppError): Response {
  return jsonResponse(error.status, error.toBody());
}

export function jsonResponse(status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(JSON.stringify(value), { status, headers: { 'content-type': 'application/json', ...headers } });
}
