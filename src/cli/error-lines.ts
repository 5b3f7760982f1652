/** Errors for people: what happened, why, what to do, the code and the operation. */
import { createColors } from 'picocolors';
import type { ClientError } from '../client/client-error.ts';
import type { ErrorBody } from '../contracts/errors.ts';
import type { Colors } from './output.ts';
import { outputLine, visible, wrapUnder } from './terminal-text.ts';

const MAX_DETAIL_LINES = 30;

export function errorLines(
  error: ErrorBody | ClientError,
  { width, colors = createColors(false) }: { readonly width: number; readonly colors?: Colors },
): readonly string[] {
  const fit = (line: string): readonly string[] => wrapUnder(line, width, '  ');
  const [what = '', ...more] = error.message.trimEnd().split('\n').map(outputLine);
  const [first = '', ...rest] = [`error: ${what}`, ...more.map((line) => `  ${line}`)].flatMap(fit);
  const details = Object.entries(error.details)
    .filter(([key, value]) => !isSaid(key, value, error.message))
    .flatMap(([key, value]) => detail(inWords(key), value))
    .slice(0, MAX_DETAIL_LINES)
    .flatMap((line) => fit(`  ${line}`));
  const [hint, ...hints] = error.hint ? fit(`hint: ${visible(error.hint)}`) : [];
  const operation = error.operationId ? `, operation ${visible(error.operationId)}` : '';
  return [
    first.replace('error:', colors.red('error:')),
    ...rest,
    ...details.map(colors.dim),
    ...(hint === undefined ? [] : [hint.replace('hint:', colors.yellow('hint:'))]),
    ...hints,
    colors.dim(`(${visible(error.code)}${operation})`),
  ];
}

/** The single faults of a request or a config file are the message itself; a name or a path may stand in it. */
function isSaid(key: string, value: unknown, message: string): boolean {
  return key === 'issues' || key === 'faults' || (typeof value === 'string' && message.includes(value));
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
