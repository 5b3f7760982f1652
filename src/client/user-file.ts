import { readFile, stat } from 'node:fs/promises';
import { errorCode, hasCode } from '../host/error-code.ts';

/** A file's text, or why there is none, in words that follow the file's name. */
export type UserFile = { readonly text: string } | { readonly problem: string; readonly cause?: unknown };

/** A text file that the user has named. Anything but a regular file is refused unopened: a pipe would be waited for. */
export async function readUserFile(path: string): Promise<UserFile> {
  try {
    if (!(await stat(path)).isFile()) return { problem: 'is not a file' };
    return { text: await readFile(path, 'utf8') };
  } catch (error) {
    const code = errorCode(error);
    if (code === undefined) throw error;
    return { problem: hasCode(error, 'ENOENT') ? 'does not exist' : `cannot be read (${code})`, cause: error };
  }
}
