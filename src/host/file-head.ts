import { watch } from 'node:fs';
import { open } from 'node:fs/promises';

/**
 * Waits, woken by the file's changes, until its beginning is as it should be.
 *
 * @param isEnough of the file's first `headBytes`, each byte a character.
 * @returns false where the deadline passes first.
 * @throws the signal's reason where it is aborted; the system's error where the file cannot be read.
 */
export async function awaitFileHead(
  path: string,
  isEnough: (head: string) => boolean,
  options: { readonly headBytes: number; readonly timeoutMs: number },
  signal: AbortSignal,
): Promise<boolean> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const look = (): void => {
    readHead(path, options.headBytes).then((head) => {
      if (isEnough(head)) resolve(true);
    }, reject);
  };
  const onAbort = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', onAbort, { once: true });
  const deadline = setTimeout(() => resolve(false), options.timeoutMs);
  const watcher = watch(path, look);
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

async function readHead(path: string, sizeBytes: number): Promise<string> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(sizeBytes), 0, sizeBytes, 0);
    return buffer.toString('latin1', 0, bytesRead);
  } finally {
    await file.close();
  }
}
