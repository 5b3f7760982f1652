/**
 * The repository that a guest gets: made here, in a folder of our own, out of the user's objects. Nothing of the user's
 * config, remotes, hooks or credentials is in it, and nothing is written into the user's own repository.
 */
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BASE_REF, git, NO_USER_CONFIG } from './git.ts';
import { FULL_HISTORY_BYTES, type Repository } from './repository.ts';
import { changedFiles, contentOf, type WorkFile, type WorkTree } from './work-files.ts';

const MESSAGE = 'Work tree as it came from the host\n';

export interface GuestRepository extends AsyncDisposable {
  /** To be `.git` in the guest. */
  readonly gitDir: string;
  /** The commit that the work tree is. */
  readonly base: string;
}

/** True where only the last commit goes along. */
export function isCutShort({ historyBytes, head }: Repository): boolean {
  return head !== undefined && historyBytes > FULL_HISTORY_BYTES;
}

/**
 * Makes it. Where the work tree differs from the last commit, a commit of ours comes on top, so that what a guest
 * changes can be told from what the user had changed.
 *
 * @throws ClientError WORKSPACE_INVALID.
 */
export async function makeGuestRepository(
  repository: Repository,
  tree: WorkTree,
  signal: AbortSignal,
): Promise<GuestRepository> {
  const dir = await realpath(await mkdtemp(join(tmpdir(), 'banger-workspace-')));
  const remove = (): Promise<void> => rm(dir, { recursive: true, force: true });
  try {
    const gitDir = join(dir, '.git');
    const options = { signal, env: NO_USER_CONFIG };
    const run = (...args: readonly string[]): Promise<string> => git(dir, args, options);
    await run('init', '--quiet', '--template=', `--object-format=${repository.objectFormat}`);
    await borrowObjects(gitDir, repository);
    const base = await commitWorkTree(dir, repository, tree, signal);
    if (repository.branch?.startsWith('refs/heads/')) {
      await run('update-ref', repository.branch, base);
      await run('symbolic-ref', 'HEAD', repository.branch);
    } else {
      await run('update-ref', '--no-deref', 'HEAD', base);
    }
    await run('update-ref', BASE_REF, base);
    await run('read-tree', base);
    // With everything in packs of its own it needs the user's objects no more.
    await run('repack', '-a', '-d', '-q');
    await rm(join(gitDir, 'objects', 'info', 'alternates'), { force: true });
    await nameAuthor(run, repository);
    return { gitDir, base, [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function borrowObjects(gitDir: string, repository: Repository): Promise<void> {
  await mkdir(join(gitDir, 'objects', 'info'), { recursive: true });
  // A path that begins with a quote is read as quoted; ours is absolute.
  await writeFile(join(gitDir, 'objects', 'info', 'alternates'), `${repository.objectsDir}\n`);
  const cut = isCutShort(repository) && repository.head !== undefined ? [repository.head] : repository.shallow;
  if (cut.length > 0) await writeFile(join(gitDir, 'shallow'), cut.map((commit) => `${commit}\n`).join(''));
}

/** @returns the last commit where the work tree is just that, else one of ours on top of it. */
async function commitWorkTree(
  dir: string,
  repository: Repository,
  tree: WorkTree,
  signal: AbortSignal,
): Promise<string> {
  const changed = await changedFiles(repository, tree.files, signal);
  const { head } = repository;
  if (head !== undefined && changed.length === 0 && tree.deleted.length === 0) return head;
  const input = importStream(repository, { changed, deleted: tree.deleted });
  await git(dir, ['fast-import', '--quiet', '--date-format=raw'], { signal, input, env: NO_USER_CONFIG });
  return (await git(dir, ['rev-parse', BASE_REF], { signal, env: NO_USER_CONFIG })).trim();
}

/** One commit, in the words of git-fast-import(1). */
async function* importStream(
  { head, author }: Repository,
  { changed, deleted }: { readonly changed: readonly WorkFile[]; readonly deleted: readonly string[] },
): AsyncGenerator<Buffer> {
  const seconds = Math.floor(Date.now() / 1000);
  const who = `${identity(author.name, 'banger')} <${identity(author.email, 'banger@localhost')}>`;
  yield Buffer.from(`commit ${BASE_REF}\ncommitter ${who} ${seconds} +0000\n`);
  yield Buffer.from(`data ${Buffer.byteLength(MESSAGE)}\n${MESSAGE}`);
  if (head !== undefined) yield Buffer.from(`from ${head}\n`);
  // First, since a file may have become a folder.
  for (const path of deleted) yield Buffer.from(`D ${quotedPath(path)}\n`);
  for (const file of changed) {
    yield Buffer.from(`M ${file.mode} inline ${quotedPath(file.path)}\ndata ${file.sizeBytes}\n`);
    yield* contentOf(file);
    yield Buffer.from('\n');
  }
}

/** A name or address as a commit can have it. */
function identity(text: string | undefined, otherwise: string): string {
  return (text ?? '').replaceAll(/[\u0000-\u001f<>]/g, ' ').trim() || otherwise;
}

function quotedPath(path: string): string {
  return `"${path.replaceAll(/[\\"]/g, '\\$&').replaceAll('\n', '\\n')}"`;
}

/** For commits in the guest; the history has such names anyway. */
async function nameAuthor(run: (...args: readonly string[]) => Promise<string>, { author }: Repository): Promise<void> {
  if (author.name !== undefined) await run('config', '--local', 'user.name', identity(author.name, 'banger'));
  if (author.email !== undefined)
    await run('config', '--local', 'user.email', identity(author.email, 'banger@localhost'));
}
