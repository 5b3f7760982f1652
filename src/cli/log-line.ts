import { visible } from './terminal-text.ts';

/** Levels as pino numbers them. */
const LEVELS: Readonly<Record<string, string>> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
  60: 'fatal',
};
const OWN_FIELDS = new Set(['level', 'time', 'msg', 'pid', 'hostname', 'v']);

/** A line of the daemon's log for people; a line that is not JSON stays as it is. */
export function logLine(line: string): string {
  const record = parse(line);
  if (!record) return visible(line);
  const { time, level, msg } = record;
  const when = typeof time === 'number' ? new Date(time).toISOString() : textOf(time);
  const rest = Object.entries(record)
    .filter(([key]) => !OWN_FIELDS.has(key))
    .map(([key, value]) => ` ${key}=${textOf(value)}`)
    .join('');
  return visible(`${when} ${(LEVELS[textOf(level)] ?? textOf(level)).padEnd(5)} ${textOf(msg)}${rest}`);
}

function parse(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function textOf(value: unknown): string {
  if (value === undefined) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
