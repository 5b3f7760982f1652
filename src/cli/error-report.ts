/** Errors for people: what happened, why, what to do, the code and the operation. */
import { ClientError } from '../client/client-error.ts';
import type { Output } from './output.ts';
import { outputLine, safeJson, visible } from './terminal-text.ts';

const MAX_DETAIL_LINES = 30;

/** Prints any thrown value on stderr; with --json as `{"error": {...}}`. */
export async function reportError(output: Output, thrown: unknown): Promise<void> {
  const error = await complete(asClientError(thrown));
  if (output.json) {
    const { code, message, hint, details, operationId } = error;
    output.note(safeJson({ error: { code, message, hint, details, operationId } }));
    return;
  }
  output.note(...errorLines(error, output));
}

function errorLines(error: ClientError, { colors }: Output): readonly string[] {
  const lines = [`${colors.red('error:')} ${error.message.trimEnd().split('\n').map(outputLine).join('\n  ')}`];
  const details = Object.entries(error.details).flatMap(([key, value]) =>
    key === 'issues' ? [] : detail(inWords(key), value),
  );
  lines.push(...details.slice(0, MAX_DETAIL_LINES).map((line) => colors.dim(`  ${line}`)));
  if (error.hint) lines.push(`${colors.yellow('hint:')} ${visible(error.hint)}`);
  const operation = error.operationId ? `, operation ${visible(error.operationId)}` : '';
  lines.push(colors.dim(`(${error.code}${operation})`));
  return lines;
}

/** `exitStatus` as people write it: `exit status`. */
function inWords(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

/** A detail as lines: a list of lines as a block, one value beside its key. */
function detail(key: string, value: unknown): readonly string[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) {
    const lines = value.map((line) => (typeof line === 'string' ? outputLine(line) : visible(JSON.stringify(line))));
    return lines.length === 0 ? [] : [`${visible(key)}:`, ...lines.map((line) => `  ${line}`)];
  }
  if (typeof value === 'object') return [`${visible(key)}: ${visible(JSON.stringify(value))}`];
  const lines = (typeof value === 'string' ? value : JSON.stringify(value)).trimEnd().split('\n').map(outputLine);
  return lines.length === 1
    ? [`${visible(key)}: ${lines[0]}`]
    : [`${visible(key)}:`, ...lines.map((line) => `  ${line}`)];
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
