/** What there is to know of a git repository on the host before anything of it is sent. The one place that asks git. */
import { lstat, readFile, realpath } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { hasCode } from '../../host/error-code.ts';
import { ClientError } from '../client-error.ts';
import { git, nulSeparated } from './git.ts';

/** A history beyond this goes along only as its last commit. */
export const FULL_HISTORY_BYTES = 64 * 2 ** 20;

export interface TrackedFile {
  /** Relative to the top folder. */
  readonly path: string;
  readonly mode: string;
  /** Not checked out on purpose (sparse checkout): not there, and not deleted. */
  readonly isSkipped: boolean;
}

export interface TreeEntry {
  readonly mode: string;
  readonly oid: string;
}

export interface Repository {
  /** Top folder of the work tree; a real path. */
  readonly top: string;
  /** The folder that was asked for, relative to `top`; empty for `top` itself. */
  readonly within: string;
  readonly objectFormat: 'sha1' | 'sha256';
  /** Undefined where nothing was committed yet. */
  readonly head: string | undefined;
  /** `refs/heads/main`; undefined where no branch is checked out. */
  readonly branch: string | undefined;
  /** Folder with the objects. */
  readonly objectsDir: string;
  /** Commits whose parents are not there; empty where all are. */
  readonly shallow: readonly string[];
  /** Of the whole history. */
  readonly commits: number;
  readonly historyBytes: number;
  /** False where the file system does not know who may run a file: the index does then. */
  readonly trustsModes: boolean;
  readonly author: { readonly name: string | undefined; readonly email: string | undefined };
}

/**
 * @param path a folder of a work tree.
 * @throws ClientError WORKSPACE_INVALID, HOST_TOOL_MISSING.
 */
export async function openRepository(path: string, signal: AbortSignal): Promise<Repository> {
  const start = await realFolder(path);
  const top = await topFolder(start);
  const ask = (...args: readonly string[]): Promise<string> => git(top, args, { signal });
  const line = async (...args: readonly string[]): Promise<string> => (await ask(...args)).replace(/\n$/, '');
  /** Undefined where git has nothing to say. */
  const maybe = async (...args: readonly string[]): Promise<string | undefined> => {
    const text = await git(top, args, { signal, okStatuses: [0, 1] });
    return text === '' ? undefined : text.replace(/\n$/, '');
  };
  // First of all: here git refuses a repository of somebody else's.
  const said = await line('rev-parse', '--show-toplevel');
  if ((await realpath(said)) !== top) {
    throw new ClientError('WORKSPACE_INVALID', `The repository of ${top} says that its files are in ${said}.`, {
      hint: 'Look at core.worktree in its config.',
    });
  }
  await assertOwnGitDir(top);
  const objectFormat = await line('rev-parse', '--show-object-format');
  const head = await maybe('rev-parse', '--verify', '--quiet', 'HEAD^{commit}');
  return {
    top,
    within: relative(top, start),
    objectFormat: objectFormat === 'sha256' ? 'sha256' : 'sha1',
    head,
    branch: await maybe('symbolic-ref', '--quiet', 'HEAD'),
    objectsDir: resolve(top, await line('rev-parse', '--git-path', 'objects')),
    shallow: await readLines(resolve(top, await line('rev-parse', '--git-path', 'shallow'))),
    commits: head === undefined ? 0 : Number(await line('rev-list', '--count', head)),
    historyBytes: await storedBytes(ask),
    trustsModes: (await maybe('config', '--type=bool', 'core.fileMode')) !== 'false',
    author: { name: await maybe('config', 'user.name'), email: await maybe('config', 'user.email') },
  };
}

/** Every file of the index, each once. */
export async function trackedFiles({ top }: Repository, signal: AbortSignal): Promise<readonly TrackedFile[]> {
  const text = await git(top, ['ls-files', '-z', '-t', '--stage'], { signal });
  const files = new Map<string, TrackedFile>();
  for (const line of nulSeparated(text)) {
    const [, tag, mode, path] = /^(.) (\d{6}) [0-9a-f]+ \d\t([^]*)$/.exec(line) ?? [];
    if (mode === undefined || path === undefined)
      throw new ClientError('INTERNAL', `git lists ${JSON.stringify(line)}`);
    files.set(path, { path, mode, isSkipped: tag === 'S' });
  }
  return [...files.values()];
}

/** Files that are neither tracked nor ignored; what is in a repository of its own is not among them. */
export async function untrackedFiles({ top }: Repository, signal: AbortSignal): Promise<readonly string[]> {
  const text = await git(top, ['ls-files', '-z', '--others', '--exclude-standard'], { signal });
  return nulSeparated(text).filter((path) => !path.endsWith('/'));
}

/** Every file of a commit. */
export async function committedFiles(
  { top, head }: Repository,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, TreeEntry>> {
  if (head === undefined) return new Map();
  const text = await git(top, ['ls-tree', '-r', '-z', '--full-tree', head], { signal });
  return new Map(
    nulSeparated(text).map((line) => {
      const [, mode = '', oid = '', path = ''] = /^(\d{6}) \w+ ([0-9a-f]+)\t([^]*)$/.exec(line) ?? [];
      return [path, { mode, oid }];
    }),
  );
}

async function realFolder(path: string): Promise<string> {
  try {
    const real = await realpath(path);
    if ((await lstat(real)).isDirectory()) return real;
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw error;
    throw new ClientError('WORKSPACE_INVALID', `${path} does not exist.`, { cause: error });
  }
  throw new ClientError('WORKSPACE_INVALID', `${path} is not a folder.`);
}

/** Found by ourselves: what the repository says about it is compared with this. */
async function topFolder(start: string): Promise<string> {
  for (let dir = start; ; dir = dirname(dir)) {
    if (await exists(join(dir, '.git'))) return dir;
    if (dirname(dir) === dir) break;
  }
  throw new ClientError('WORKSPACE_INVALID', `${start} is in no git work tree.`);
}

/**
 * `.git` may be a file that names another folder, for a linked work tree or a submodule; that folder then names the
 * work tree in turn. One that does not is another repository, whose history this one has no business with.
 */
async function assertOwnGitDir(top: string): Promise<void> {
  const link = join(top, '.git');
  const found = await lstat(link);
  if (found.isDirectory()) return;
  const target = found.isFile() ? /^gitdir: (.+)\n?$/.exec(await readFile(link, 'utf8'))?.[1] : undefined;
  if (target !== undefined) {
    const gitDir = resolve(top, target);
    const [back] = await readLines(join(gitDir, 'gitdir'));
    if (back !== undefined && resolve(gitDir, back) === link) return;
    const [, worktree] = /^\s*worktree\s*=\s*(.+)$/m.exec((await readLines(join(gitDir, 'config'))).join('\n')) ?? [];
    if (worktree !== undefined && resolve(gitDir, worktree) === top) return;
  }
  throw new ClientError('WORKSPACE_INVALID', `${link} leads to a repository that does not know this work tree.`);
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return false;
    throw error;
  }
}

async function readLines(path: string): Promise<readonly string[]> {
  try {
    return (await readFile(path, 'utf8')).split('\n').filter((line) => line !== '');
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}

async function storedBytes(ask: (...args: readonly string[]) => Promise<string>): Promise<number> {
  const counts = await ask('count-objects', '-v');
  const kib = (name: string): number => Number(new RegExp(`^${name}: (\\d+)$`, 'm').exec(counts)?.[1] ?? 0);
  return (kib('size') + kib('size-pack')) * 1024;
}
