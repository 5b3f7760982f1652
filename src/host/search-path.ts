/** Where programs are looked for. */
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from './error-code.ts';

/** Debian keeps ip, nft and mkfs.ext4 here, and leaves these folders out of an ordinary user's PATH (and of `su`'s). */
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** `PATH` with the folders of system programs at its end. */
export function searchPath(path: string | undefined): string {
  const folders = (path ?? '/usr/local/bin:/usr/bin:/bin').split(':').filter((folder) => folder !== '');
  return [...folders, ...SYSTEM_FOLDERS.filter((folder) => !folders.includes(folder))].join(':');
}

/** Our own environment for a program we start; undefined takes a variable out. */
export function childEnvironment(added: Readonly<Record<string, string | undefined>> = {}): NodeJS.ProcessEnv {
  return { ...process.env, PATH: searchPath(process.env['PATH']), ...added };
}

/**
 * Where `run` would find a program.
 *
 * @param program a name, or a path with a slash, which is looked up as it is.
 */
export async function findProgram(program: string): Promise<string | undefined> {
  const candidates = program.includes('/')
    ? [program]
    : searchPath(process.env['PATH'])
        .split(':')
        .map((folder) => join(folder, program));
  for (const candidate of candidates) if (await isExecutable(candidate)) return candidate;
  return undefined;
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch (error) {
    // ENOENT, ENOTDIR, EACCES: not here, whatever the reason; the next folder is asked.
    if (errorCode(error) !== undefined) return false;
    throw error;
  }
}
