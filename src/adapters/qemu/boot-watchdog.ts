/**
 * Tells a boot from a hang. In software emulation a guest that must measure its clock may fail to and hang (see
 * host-tsc.ts): the console holds the kernel's first lines, all stamped zero, and nothing follows. A silent console,
 * and one whose clock stands still, are no boot.
 */
import { watch } from 'node:fs';
import { open } from 'node:fs/promises';

/** A hang leaves about 6 KiB; a console that holds more has long shown life. */
const MAX_READ_BYTES = 64 * 1024;

/**
 * True once the guest has shown that its clock moves, or has said anything that is not the kernel's own first words.
 *
 * @param text of the console from its beginning; a line counts once it is whole.
 */
export function showsLife(text: string): boolean {
  const lines = text.split('\n').slice(0, -1);
  return lines.some((line) => {
    const words = line.trim();
    if (words === '' || words.startsWith('Probing EDD')) return false;
    const stamp = /^\[\s*(\d+\.\d+)\]/.exec(words)?.[1];
    return stamp === undefined || Number(stamp) > 0;
  });
}

/**
 * Waits, woken by the file's changes, until the console shows life.
 *
 * @returns false where the deadline passes first.
 * @throws the signal's reason where it is aborted.
 */
export async function awaitLife(
  consolePath: string,
  options: { readonly timeoutMs: number },
  signal: AbortSignal,
): Promise<boolean> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const look = (): void => {
    readHead(consolePath).then((text) => {
      if (text.length >= MAX_READ_BYTES || showsLife(text)) resolve(true);
    }, reject);
  };
  const onAbort = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', onAbort, { once: true });
  const deadline = setTimeout(() => resolve(false), options.timeoutMs);
  const watcher = watch(consolePath, look);
  watcher.on('error', reject);
  // What was written before the watch began.
  look();
  try {
    return await promise;
  } finally {
    watcher.close();
    clearTimeout(deadline);
    signal.removeEventListener('abort', onAbort);
  }
}

async function readHead(path: string): Promise<string> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_READ_BYTES), 0, MAX_READ_BYTES, 0);
    return buffer.toString('latin1', 0, bytesRead);
  } finally {
    await file.close();
  }
}
