import { open } from 'node:fs/promises';
import { hasCode } from './error-code.ts';

const MAX_TAIL_BYTES = 8 * 1024;

/**
 * The last lines of a file that others write, made harmless for a terminal.
 *
 * @param fromByte what lies before it belongs to an earlier run.
 * @returns empty where the file does not exist.
 */
export async function textTail(path: string, lines: number, fromByte = 0): Promise<string> {
  try {
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      const start = Math.max(fromByte, size - MAX_TAIL_BYTES);
      const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_TAIL_BYTES), 0, MAX_TAIL_BYTES, start);
      return printable(buffer.toString('utf8', 0, bytesRead))
        .trim()
        .split('\n')
        .slice(-lines)
        .join('\n');
    } finally {
      await file.close();
    }
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return '';
    throw error;
  }
}

/** Carriage returns go; every other control character but the newline becomes `?`. */
export function printable(text: string): string {
  return text.replaceAll('\r', '').replaceAll(/[^\P{Cc}\n]/gu, '?');
}
