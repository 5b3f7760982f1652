/** Checks a request against its schema and says what is wrong in one way, for the CLI and the server alike. */
import type { z } from 'zod';
import type { ErrorCode } from './errors.ts';
import { formatSize } from './size.ts';

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

/** @returns the parsed value, defaults filled in; or the fault, named after the first thing that is wrong. */
export function checkRequest<Schema extends z.ZodType>(schema: Schema, value: unknown): Checked<z.output<Schema>> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return { ok: true, value: parsed.data };
  const issues = parsed.error.issues.map((issue) => ({
    path: issue.path.map(String).join('.'),
    message: explain(issue, at(value, issue.path)),
  }));
  const field = String(parsed.error.issues[0]?.path[0] ?? '');
  const code = Object.hasOwn(FIELD_CODES, field) ? FIELD_CODES[field] : undefined;
  return {
    ok: false,
    fault: {
      code: code ?? 'REQUEST_INVALID',
      message: issues.map(({ path, message }) => (path ? `${path}: ${message}` : message)).join('; '),
      details: { issues },
    },
  };
}

function at(value: unknown, path: readonly PropertyKey[]): unknown {
  let found = value;
  for (const key of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return undefined;
    found = Reflect.get(found, key);
  }
  return found;
}

function explain(issue: z.core.$ZodIssue, given: unknown): string {
  const isSize = String(issue.path.at(-1)).endsWith('Bytes');
  if (isSize && typeof given === 'number') {
    if (issue.code === 'too_small') return `${formatSize(given)} is too small, the least is ${bound(issue.minimum)}`;
    if (issue.code === 'too_big') return `${formatSize(given)} is too large, the most is ${bound(issue.maximum)}`;
  }
  return typeof given === 'string' ? `${quote(given)}: ${issue.message}` : issue.message;
}

function bound(limit: number | bigint): string {
  return formatSize(Number(limit));
}

/** JSON's own quoting keeps control characters visible; what is very long is cut. */
function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}...` : text);
}
