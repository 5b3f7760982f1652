/** One commit of a git repository, through the `git` client. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { FetchSpec } from '../../core/builds/ports.ts';
import { ProcessError, run, type RunOptions } from '../../host/process.ts';
import type { SourceFill } from './source-cache.ts';
import { sourceFailure, type SourceName, unreachable } from './source-failure.ts';

type GitSpec = Extract<FetchSpec, { kind: 'git' }>;

const DEADLINE_MS = 5 * 60_000;

/** Never a question, never a program that an address or the repository names. */
const SAFETY = [
  '-c',
  'protocol.ext.allow=never',
  '-c',
  'core.hooksPath=/dev/null',
  '-c',
  'core.logAllRefUpdates=false',
  '-c',
  'submodule.recurse=false',
  '-c',
  'advice.detachedHead=false',
] as const;

/**
 * Checks the commit out with a `.git` of its own, detached and without a remote: whoever wants updates names one.
 *
 * @returns the commit.
 * @throws AppError SOURCE_UNREACHABLE, HOST_TOOL_MISSING.
 */
export async function fetchGitCommit(
  spec: GitSpec,
  target: SourceFill,
  progress: { readonly log: (line: string) => void; readonly signal: AbortSignal },
): Promise<string> {
  const { signal, log } = progress;
  const source: SourceName = { what: `commit ${spec.commit}`, address: spec.url };
  const git = (...args: readonly string[]): Promise<string> => runGit(target.treeDir, args, signal);
  try {
    log(`fetching commit ${spec.commit} from ${spec.url}`);
    await git('init', '--quiet', '--template=', '--initial-branch=main');
    await fetchCommit(spec, git, signal);
    const found = await git('rev-parse', '--verify', '--quiet', `${spec.commit}^{commit}`).catch(noSuchCommit);
    if (found.trim() !== spec.commit) throw unreachable(source, `is not in ${spec.url}.`);
    await git('checkout', '--quiet', '--detach', spec.commit);
    // Where it came from, and branches that came with it, are not part of it.
    for (const name of ['FETCH_HEAD', 'ORIG_HEAD', 'logs', 'hooks', 'refs/fetched']) {
      await rm(join(target.treeDir, '.git', name), { recursive: true, force: true });
    }
    return spec.commit;
  } catch (error) {
    throw sourceFailure(error, source, signal);
  }
}

function noSuchCommit(error: unknown): string {
  if (error instanceof ProcessError && error.failure === 'exit') return '';
  throw error;
}

/** The one commit; where the server only hands out branches, all of them. */
async function fetchCommit(
  spec: GitSpec,
  git: (...args: readonly string[]) => Promise<string>,
  signal: AbortSignal,
): Promise<void> {
  try {
    await git('fetch', '--quiet', '--no-tags', '--depth=1', '--', spec.url, spec.commit);
  } catch (error) {
    if (!(error instanceof ProcessError) || error.failure !== 'exit' || signal.aborted) throw error;
    try {
      await git('fetch', '--quiet', '--no-tags', '--', spec.url, 'refs/heads/*:refs/fetched/*');
    } catch {
      // The first refusal is the one that says why.
      throw error;
    }
  }
}

async function runGit(treeDir: string, args: readonly string[], signal: AbortSignal): Promise<string> {
  const options: RunOptions = {
    cwd: treeDir,
    signal,
    timeoutMs: DEADLINE_MS,
    env: {
      GIT_TERMINAL_PROMPT: '0',
      GIT_ASKPASS: 'true',
      SSH_ASKPASS: 'true',
      GIT_CEILING_DIRECTORIES: join(treeDir, '..'),
      LC_ALL: 'C',
      // A daemon started from a git hook would work on that repository.
      GIT_DIR: undefined,
      GIT_WORK_TREE: undefined,
      GIT_INDEX_FILE: undefined,
      GIT_OBJECT_DIRECTORY: undefined,
      GIT_ALTERNATE_OBJECT_DIRECTORIES: undefined,
    },
  };
  const { stdout } = await run(['git', ...SAFETY, ...args], options);
  return stdout;
}
