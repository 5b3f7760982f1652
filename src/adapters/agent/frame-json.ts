import { isUtf8 } from 'node:buffer';

/** Deepest nesting of a frame: a list of ports has four levels. */
const MAX_DEPTH = 16;
/** Most values in a frame, at every depth together: a full list of ports has about 1,600. */
const MAX_VALUES = 4096;

/**
 * Parses one line of a guest.
 *
 * @returns undefined where it is no JSON object in UTF-8, or one that would cost more to check than any real message:
 * nested too deep, of too many values, or with a key that means an object's prototype.
 */
export function parseFrame(line: Buffer): Readonly<Record<string, unknown>> | undefined {
  const value = isUtf8(line) ? parseJson(line.toString('utf8')) : undefined;
  return isRecord(value) && countValues(value, MAX_DEPTH) <= MAX_VALUES ? value : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Infinity where a value is not to be touched at all. */
function countValues(value: unknown, depthLeft: number): number {
  if (typeof value !== 'object' || value === null) return 1;
  if (depthLeft === 0 || Object.hasOwn(value, '__proto__')) return Infinity;
  let count = 1;
  for (const inner of Object.values(value)) {
    count += countValues(inner, depthLeft - 1);
    if (count > MAX_VALUES) return count;
  }
  return count;
}
