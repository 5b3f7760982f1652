/** What of a repository's files is sent, as they are in the work tree now. */
import { createHash } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { lstat, open, readlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { hasCode } from '../../host/error-code.ts';
import { ClientError } from '../client-error.ts';
import { committedFiles, type Repository, trackedFiles, untrackedFiles } from './repository.ts';

const READ_BYTES = 256 * 1024;
const SUBMODULE_MODE = '160000';

export interface WorkFile {
  readonly path: string;
  readonly hostPath: string;
  /** As git has it: 100644, 100755 or 120000. */
  readonly mode: string;
  readonly sizeBytes: number;
  readonly isTracked: boolean;
}

export interface WorkTree {
  readonly files: readonly WorkFile[];
  /** Files of the last commit that are not there any more. */
  readonly deleted: readonly string[];
  /** Folders of submodules, which stay behind. */
  readonly submodules: readonly string[];
}

export interface WorkTreeOptions {
  readonly includeUntracked: boolean;
  readonly signal: AbortSignal;
}

/** @throws ClientError WORKSPACE_INVALID. */
export async function listWorkTree(repository: Repository, options: WorkTreeOptions): Promise<WorkTree> {
  const { signal } = options;
  const tracked = await trackedFiles(repository, signal);
  const untracked = options.includeUntracked ? await untrackedFiles(repository, signal) : [];
  const looker = new Looker(repository);
  const files: WorkFile[] = [];
  /** Paths of the last commit that are as they were, though they are not sent. */
  const kept = new Set<string>();
  for (const { path, mode, isSkipped } of tracked) {
    const file = mode === SUBMODULE_MODE ? undefined : await looker.look(path, { isTracked: true, mode });
    if (file) files.push(file);
    else if (isSkipped || mode === SUBMODULE_MODE) kept.add(path);
  }
  for (const path of untracked) {
    const file = await looker.look(path, { isTracked: false, mode: '100644' });
    if (file) files.push(file);
  }
  const sent = new Set(files.map((file) => file.path));
  const committed = await committedFiles(repository, signal);
  return {
    files,
    deleted: [...committed.keys()].filter((path) => !sent.has(path) && !kept.has(path)),
    submodules: tracked.filter(({ mode }) => mode === SUBMODULE_MODE).map(({ path }) => path),
  };
}

/** Files that differ from the last commit, by their bytes: no filter of the repository is asked. */
export async function changedFiles(
  repository: Repository,
  files: readonly WorkFile[],
  signal: AbortSignal,
): Promise<readonly WorkFile[]> {
  const committed = await committedFiles(repository, signal);
  const changed: WorkFile[] = [];
  for (const file of files) {
    signal.throwIfAborted();
    const before = committed.get(file.path);
    const isSame = before?.mode === file.mode && before.oid === (await blobId(file, repository.objectFormat));
    if (!isSame) changed.push(file);
  }
  return changed;
}

/** A file's content, or what a link leads to, as git stores it. */
export async function* contentOf({ hostPath, mode, sizeBytes }: WorkFile): AsyncGenerator<Buffer> {
  if (mode === '120000') {
    const target = Buffer.from(await readlink(hostPath));
    if (target.length !== sizeBytes) throw changedMeanwhile(hostPath);
    yield target;
    return;
  }
  const file = await open(hostPath, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    for (let left = sizeBytes; left > 0;) {
      const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, left));
      const { bytesRead } = await file.read(buffer, 0, buffer.length);
      if (bytesRead === 0) throw changedMeanwhile(hostPath);
      left -= bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

function changedMeanwhile(hostPath: string): ClientError {
  return new ClientError('WORKSPACE_INVALID', `${hostPath} was changed while it was read.`, { hint: 'Try again.' });
}

async function blobId(file: WorkFile, format: Repository['objectFormat']): Promise<string> {
  const hash = createHash(format).update(`blob ${file.sizeBytes}\0`);
  for await (const chunk of contentOf(file)) hash.update(chunk);
  return hash.digest('hex');
}

/** Looks at files through no symlink: a folder that has become one has no files of the repository any more. */
class Looker {
  readonly #repository: Repository;
  readonly #realFolders = new Map<string, boolean>();

  constructor(repository: Repository) {
    this.#repository = repository;
  }

  async look(
    path: string,
    { isTracked, mode }: { readonly isTracked: boolean; readonly mode: string },
  ): Promise<WorkFile | undefined> {
    if (path.includes('\ufffd')) {
      throw new ClientError('WORKSPACE_INVALID', `${path} has a name that is not UTF-8; it cannot be sent to a guest.`);
    }
    if (path.split('/').some((part) => part === '..' || part === '.git')) {
      throw new ClientError(
        'WORKSPACE_INVALID',
        `The repository lists ${JSON.stringify(path)}, which no work tree has.`,
      );
    }
    const { top, trustsModes } = this.#repository;
    const hostPath = join(top, path);
    if (!(await this.#isRealFolder(dirname(path)))) return undefined;
    const found = await lookAt(hostPath);
    if (found?.isSymbolicLink()) {
      const sizeBytes = Buffer.byteLength(await readlink(hostPath));
      return { path, hostPath, mode: '120000', sizeBytes, isTracked };
    }
    if (!found?.isFile()) return undefined;
    const isExecutable = trustsModes ? (found.mode & 0o100) !== 0 : mode === '100755';
    return { path, hostPath, mode: isExecutable ? '100755' : '100644', sizeBytes: found.size, isTracked };
  }

  async #isRealFolder(folder: string): Promise<boolean> {
    if (folder === '.') return true;
    const known = this.#realFolders.get(folder);
    if (known !== undefined) return known;
    const isReal =
      (await this.#isRealFolder(dirname(folder))) &&
      ((await lookAt(join(this.#repository.top, folder)))?.isDirectory() ?? false);
    this.#realFolders.set(folder, isReal);
    return isReal;
  }
}

async function lookAt(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}
