import { readFileSync, watch } from 'node:fs';

/** Waits until the guest has printed a line that matches. @throws Error with the console's end where it does not. */
export async function consoleSays(path: string, pattern: RegExp, timeoutMs: number): Promise<RegExpExecArray> {
  const { promise, resolve } = Promise.withResolvers<RegExpExecArray | undefined>();
  const look = (): void => {
    const found = pattern.exec(readFileSync(path, 'utf8'));
    if (found) resolve(found);
  };
  const watcher = watch(path, look);
  const timer = setTimeout(() => resolve(undefined), timeoutMs);
  try {
    // It may have been said before anybody watched.
    look();
    const found = await promise;
    if (found) return found;
    throw new Error(
      `The console did not say ${pattern} in ${timeoutMs} ms:\n${readFileSync(path, 'utf8').slice(-2_000)}`,
    );
  } finally {
    clearTimeout(timer);
    watcher.close();
  }
}
