/** Values from the command line as requests: checked by the very schemas the daemon checks with. */
import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { z } from 'zod';
import { nameSchema } from '../contracts/name.ts';
import { checkRequest } from '../contracts/request-check.ts';
import { ROUTES } from '../contracts/routes.ts';
import { parseSize } from '../contracts/size.ts';
import { isSystemError } from '../client/client-error.ts';
import { UsageError } from './usage-error.ts';

/** @throws UsageError with the code the daemon would answer with. */
export function checked<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const result = checkRequest(schema, value);
  if (result.ok) return result.value;
  const { code, message, details } = result.fault;
  throw new UsageError(code, message, { details });
}

/** A name of an image or VM. */
export function checkedName(text: string): string {
  return checked(nameSchema, text);
}

/** An operation's id. */
export function checkedOperationId(text: string): string {
  return checked(ROUTES.operationShow.params, { id: text }).id;
}

/**
 * A size flag as bytes; undefined where the flag was left out.
 *
 * @throws UsageError SIZE_INVALID.
 */
export function sizeFlag(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const bytes = parseSize(text);
  if (bytes !== undefined) return bytes;
  throw new UsageError('SIZE_INVALID', `${flag} ${JSON.stringify(text)} is not a size`);
}

/** A whole-number flag; undefined where it was left out. */
export function integerFlag(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new UsageError('REQUEST_INVALID', `${flag} ${JSON.stringify(text)} is not a whole number`);
}

/** A path flag, made absolute: the daemon has a working directory of its own. */
export function pathFlag(cwd: string, text: string | undefined): string | undefined {
  return text === undefined ? undefined : resolve(cwd, text);
}

/** A text file that goes into the request. */
export async function textFlag(cwd: string, flag: string, path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  const file = resolve(cwd, path);
  try {
    if (!(await stat(file)).isFile()) throw new UsageError('REQUEST_INVALID', `${flag}: ${file} is not a file`);
    return await readFile(file, 'utf8');
  } catch (error) {
    if (!isSystemError(error, 'ENOENT', 'EACCES', 'ENOTDIR')) throw error;
    throw new UsageError('REQUEST_INVALID', `${flag}: ${file} cannot be read`, { cause: error });
  }
}

/** Collects a flag that may come several times. */
export function repeated(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}
