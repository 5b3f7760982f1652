/** The daemon's log file: its last lines, and what is added. */
import { type FileHandle, open } from 'node:fs/promises';
import { watch } from 'node:fs';
import { once } from 'node:events';
import { isSystemError } from './client-error.ts';

const CHUNK_BYTES = 64 * 1024;

/** The last lines of a file; none where it does not exist. It reads from the end, however long the file is. */
export async function lastLines(path: string, count: number): Promise<readonly string[]> {
  const file = await openIfThere(path);
  if (!file) return [];
  try {
    if (count <= 0) return [];
    let start = (await file.stat()).size;
    let text = Buffer.alloc(0);
    for (let lines = 0; start > 0 && lines <= count; lines = countNewlines(text)) {
      const length = Math.min(CHUNK_BYTES, start);
      start -= length;
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, start);
      text = Buffer.concat([buffer.subarray(0, bytesRead), text]);
    }
    return splitLines(text.toString('utf8')).slice(-count);
  } finally {
    await file.close();
  }
}

/** Lines as they are added to the file, from its present end on, until the signal is aborted. */
export async function* followLines(path: string, signal: AbortSignal): AsyncGenerator<string, void> {
  const file = await open(path, 'r');
  const watcher = watch(path, { persistent: true, signal });
  watcher.on('error', () => undefined);
  try {
    let position = (await file.stat()).size;
    let rest = '';
    const buffer = Buffer.alloc(CHUNK_BYTES);
    const decoder = new TextDecoder();
    while (!signal.aborted) {
      const changed = once(watcher, 'change', { signal });
      changed.catch(() => undefined);
      for (;;) {
        const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
        if (bytesRead === 0) break;
        position += bytesRead;
        const lines = (rest + decoder.decode(buffer.subarray(0, bytesRead), { stream: true })).split('\n');
        rest = lines.pop() ?? '';
        yield* lines;
      }
      await changed;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    watcher.close();
    await file.close();
  }
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function countNewlines(text: Buffer): number {
  let count = 0;
  for (const byte of text) if (byte === 0x0a) count += 1;
  return count;
}

function splitLines(text: string): string[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
}
