/** Checks a request against its schema and says what is wrong in one way, for the CLI and the server alike. */
import type { z } from 'zod';
import type { ErrorCode } from './errors.ts';
import { readBySchema, type SchemaFault } from './schema-faults.ts';

interface RequestFault {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: { readonly issues: readonly { readonly path: string; readonly message: string }[] };
}

type Checked<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly fault: RequestFault };

/** Fields with an error code of their own; any other fault is REQUEST_INVALID. */
const FIELD_CODES: Readonly<Record<string, ErrorCode>> = {
  packages: 'PACKAGE_NAME_INVALID',
  without: 'STEP_UNKNOWN',
  sizeBytes: 'SIZE_INVALID',
  memoryBytes: 'SIZE_INVALID',
  diskBytes: 'SIZE_INVALID',
};

/** Faults that are told; a request may have thousands. */
const MAX_FAULTS = 20;

/** @returns the parsed value, defaults filled in; or the fault, named after the first thing that is wrong. */
export function checkRequest<Schema extends z.ZodType>(schema: Schema, value: unknown): Checked<z.output<Schema>> {
  const read = readBySchema(schema, value);
  if (read.ok) return read;
  const { faults } = read;
  const issues = faults.slice(0, MAX_FAULTS).map(({ path, message }) => ({ path: path.map(cut).join('.'), message }));
  const words = issues.map(({ path, message }) => (path ? `${path}: ${message}` : message));
  if (faults.length > MAX_FAULTS) words.push(`and ${faults.length - MAX_FAULTS} faults more`);
  return { ok: false, fault: { code: codeOf(faults[0]), message: words.join('; '), details: { issues } } };
}

function codeOf({ path: [field], isUnknownKey }: SchemaFault): ErrorCode {
  const name = String(field);
  const code = Object.hasOwn(FIELD_CODES, name) && !isUnknownKey ? FIELD_CODES[name] : undefined;
  return code ?? 'REQUEST_INVALID';
}

/** A key that the schema does not have is as long as whoever sent it likes. */
function cut(key: string | number): string {
  const text = String(key);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
