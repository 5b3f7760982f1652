/** Whatever was thrown, told to people or programs. */
import { ClientError } from '../client/client-error.ts';
import { errorLines } from './error-lines.ts';
import type { Output } from './output.ts';
import { safeJson } from './terminal-text.ts';

/** Prints any thrown value on stderr; with --json as `{"error": {...}}`. */
export async function reportError(output: Output, thrown: unknown): Promise<void> {
  const error = await complete(asClientError(thrown));
  if (output.json) {
    const { code, message, hint, details, operationId } = error;
    output.note(safeJson({ error: { code, message, hint, details, operationId } }));
    return;
  }
  output.note(...errorLines(error, { colors: output.colors, width: output.noteWidth }));
}

function asClientError(thrown: unknown): ClientError {
  if (thrown instanceof ClientError) return thrown;
  if (thrown instanceof Error && thrown.name === 'ProcessError' && 'failure' in thrown) {
    const missing = thrown.failure === 'not-found';
    return new ClientError(missing ? 'HOST_TOOL_MISSING' : 'HOST_TOOL_FAILED', thrown.message, { cause: thrown });
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const stack =
    thrown instanceof Error
      ? thrown.stack
          ?.split('\n')
          .slice(1, 6)
          .map((line) => line.trim())
      : undefined;
  return new ClientError('INTERNAL', `Unexpected fault: ${message}`, {
    details: stack ? { stack } : {},
    cause: thrown,
  });
}

/** The same error with the catalogue's hint where it has none of its own. */
async function complete(error: ClientError): Promise<ClientError> {
  if (error.hint !== undefined) return error;
  const { ERRORS } = await import('../contracts/errors.ts');
  const { code, message, details, operationId } = error;
  // A newer daemon's code is in no catalogue of ours.
  const hint = Object.hasOwn(ERRORS, code) ? ERRORS[code].hint : '';
  return new ClientError(code, message, { hint, details, operationId, cause: error });
}
