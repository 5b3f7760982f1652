/** Values from the command line as requests: checked by the very schemas the daemon checks with. */
import { resolve } from 'node:path';
import type { z } from 'zod';
import { readUserFile } from '../client/user-file.ts';
import { nameSchema } from '../contracts/name.ts';
import { checkRequest } from '../contracts/request-check.ts';
import { ROUTES } from '../contracts/routes.ts';
import { parseSize } from '../contracts/size.ts';
import { UsageError } from './usage-error.ts';

/** @throws UsageError with the code the daemon would answer with. */
export function checked<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const result = checkRequest(schema, value);
  if (result.ok) return result.value;
  const { code, details } = result.fault;
  const message = details.issues.map((issue) => {
    const flag = flagOf(issue.path);
    return flag === '' ? issue.message : `${flag}: ${issue.message}`;
  });
  throw new UsageError(code, message.join('\n'), { details });
}

/** Fields whose flag is not simply their name. */
const FLAGS: Readonly<Record<string, string>> = {
  sizeBytes: '--size',
  memoryBytes: '--memory',
  diskBytes: '--disk',
  packages: '--package',
  peers: '--peer',
  kernelPath: '--kernel',
  initrdPath: '--initrd',
  modulesPath: '--modules',
  rootfsPath: '--rootfs',
  userScript: '--script',
  stepTimeoutMs: '--step-timeout',
  distribution: 'distribution',
  id: '',
};

/** The flag a field of a request comes from. */
function flagOf(path: string): string {
  const field = path.split('.')[0] ?? '';
  return field === '' ? '' : (FLAGS[field] ?? `--${field}`);
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

const DURATION_UNITS_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000 };

/** A duration flag (`90s`, `20m`, `1h`) as `ms`; undefined where it was left out. */
export function durationFlag(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const [, digits, unit] = /^(\d{1,6})([smh])$/.exec(text) ?? [];
  const unitMs = DURATION_UNITS_MS[unit ?? ''];
  if (digits !== undefined && unitMs !== undefined) return Number(digits) * unitMs;
  throw new UsageError('REQUEST_INVALID', `${flag} ${JSON.stringify(text)} is not a duration`, {
    hint: 'Write it as 90s, 20m or 1h.',
  });
}

/** A path flag, made absolute: the daemon has a working directory of its own. */
export function pathFlag(cwd: string, text: string | undefined): string | undefined {
  return text === undefined ? undefined : resolve(cwd, text);
}

/** A text file that goes into the request. */
export async function textFlag(cwd: string, flag: string, path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  const file = resolve(cwd, path);
  const read = await readUserFile(file);
  if ('text' in read) return read.text;
  throw new UsageError('REQUEST_INVALID', `${flag}: ${file} ${read.problem}`, { cause: read.cause });
}

/** Collects a flag that may come several times. */
export function repeated(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}
