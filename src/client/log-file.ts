/** Files that others write on: their last lines, and what is added. */
import { once } from 'node:events';
import { watch } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { hasCode } from '../host/error-code.ts';
import { ClientError } from './client-error.ts';

const CHUNK_BYTES = 64 * 1024;

interface Tail {
  /** Whole lines, oldest first. */
  readonly lines: readonly string[];
  /** Where the file is to be read on, `bytes` from its beginning. */
  readonly endBytes: number;
}

/** The last whole lines of a file; none where it does not exist. It reads from the end, however long the file is. */
export async function readTail(path: string, count: number): Promise<Tail> {
  const file = await openIfThere(path);
  if (!file) return { lines: [], endBytes: 0 };
  try {
    let start = (await file.stat()).size;
    let bytes = Buffer.alloc(0);
    const fileEnd = start;
    for (let newlines = 0; start > 0 && newlines <= count; newlines = countNewlines(bytes)) {
      const length = Math.min(CHUNK_BYTES, start);
      start -= length;
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, start);
      bytes = Buffer.concat([buffer.subarray(0, bytesRead), bytes]);
    }
    const whole = bytes.subarray(0, bytes.lastIndexOf(0x0a) + 1);
    const lines = whole.toString('utf8').split('\n').slice(0, -1);
    return { lines: count > 0 ? lines.slice(-count) : [], endBytes: fileEnd - (bytes.length - whole.length) };
  } finally {
    await file.close();
  }
}

/**
 * Whole lines that are added to a file after a place in it, until the signal is aborted.
 *
 * @throws ClientError DAEMON_UNREACHABLE where there is no such file.
 */
export async function* followLines(path: string, fromBytes: number, signal: AbortSignal): AsyncGenerator<string, void> {
  const file = await openIfThere(path);
  if (!file) throw new ClientError('DAEMON_UNREACHABLE', `There is no log yet: ${path}`, { hint: 'Start the daemon.' });
  const watcher = watch(path);
  try {
    let position = fromBytes;
    let rest = '';
    const buffer = Buffer.alloc(CHUNK_BYTES);
    const decoder = new TextDecoder();
    for (;;) {
      // Listened for before the file is read: what is added meanwhile is read in the next round.
      const changed = once(watcher, 'change', { signal });
      changed.catch(() => undefined);
      for (;;) {
        const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
        if (bytesRead === 0) {
          // It was begun anew: a console is, with each start of its VM.
          if ((await file.stat()).size >= position) break;
          position = 0;
          rest = '';
          continue;
        }
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
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function countNewlines(bytes: Buffer): number {
  let count = 0;
  for (const byte of bytes) if (byte === 0x0a) count += 1;
  return count;
}
