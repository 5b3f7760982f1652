/** A lock for the life of this process, and of every program that takes its place by exec. */
import { closeSync, openSync } from 'node:fs';
import { run } from './process.ts';

const CONFLICT_STATUS = 75;
const TIMEOUT_MS = 10_000;
const STDIN = 0;

/**
 * Takes a lock file, which is made where it is missing (0600), without waiting for it. It is let go when the last
 * process that has it open ends, however that ends.
 *
 * A lock of flock(2) belongs to the open file and not to the process that asked for it, so flock(1) can take it for us.
 * The file becomes our stdin: of all that is open Node leaves 0, 1 and 2 alone to a program that replaces it
 * (`process.execve`), and gives none of them to its children unasked. Call it before anything reads stdin.
 *
 * @returns false where somebody else holds it.
 * @throws ProcessError where flock cannot be run; the file system's own error.
 */
export async function holdLock(path: string): Promise<boolean> {
  closeSync(STDIN);
  // The lowest number that is free is the one that is given (open(2)).
  const descriptor = openSync(path, 'a+', 0o600);
  if (descriptor !== STDIN) throw new Error(`${path} was opened as ${descriptor}, not as stdin.`);
  const argv = ['flock', '--nonblock', '--conflict-exit-code', `${CONFLICT_STATUS}`, `${STDIN}`] as const;
  const { exitStatus } = await run(argv, {
    inheritsInput: true,
    timeoutMs: TIMEOUT_MS,
    okStatuses: [0, CONFLICT_STATUS],
  });
  return exitStatus === 0;
}
