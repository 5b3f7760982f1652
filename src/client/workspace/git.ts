/**
 * The `git` client on the host, for us. A repository is not trusted: what its config names is not run, no hook, no filter,
 * no pager, no transport.
 */
import { ProcessError, run, type RunOptions } from '../../host/process.ts';
import { ClientError } from '../client-error.ts';

const DEADLINE_MS = 5 * 60_000;
/** Of a list of files; what is longer is refused. */
const MAX_LIST_BYTES = 256 * 2 ** 20;

const SAFETY = [
  ...['--no-pager', '--no-optional-locks', '--literal-pathspecs', '--no-replace-objects'],
  ...['-c', 'core.fsmonitor=false', '-c', 'core.untrackedCache=false', '-c', 'core.hooksPath=/dev/null'],
  // A promised object that is not there would be fetched, by whatever program the repository's config names.
  ...['-c', 'protocol.allow=never', '-c', 'gc.auto=0', '-c', 'maintenance.auto=false'],
];

const UNSET = [
  ...['GIT_DIR', 'GIT_WORK_TREE', 'GIT_INDEX_FILE', 'GIT_OBJECT_DIRECTORY', 'GIT_ALTERNATE_OBJECT_DIRECTORIES'],
  ...[
    'GIT_COMMON_DIR',
    'GIT_NAMESPACE',
    'GIT_CONFIG',
    'GIT_CONFIG_PARAMETERS',
    'GIT_CONFIG_COUNT',
    'GIT_EXTERNAL_DIFF',
  ],
];

export interface GitOptions {
  readonly signal: AbortSignal;
  readonly input?: NonNullable<RunOptions['input']>;
  readonly env?: Readonly<Record<string, string>>;
  readonly okStatuses?: readonly number[];
}

/** In a guest's repository: the commit that its work tree came as, and that `vm export` compares with. */
export const BASE_REF = 'refs/banger/base';

/** What git is told where the repository is one that we made: no config but its own. */
export const NO_USER_CONFIG = { GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null' } as const;

/**
 * Runs git in a folder.
 *
 * @returns its stdout.
 * @throws ClientError HOST_TOOL_MISSING; WORKSPACE_INVALID with git's own words.
 */
export async function git(dir: string, args: readonly string[], options: GitOptions): Promise<string> {
  const env = {
    ...Object.fromEntries(UNSET.map((name) => [name, undefined])),
    GIT_TERMINAL_PROMPT: '0',
    GIT_ALLOW_PROTOCOL: '',
    GIT_NO_LAZY_FETCH: '1',
    LC_ALL: 'C.UTF-8',
    ...options.env,
  };
  try {
    const { stdout } = await run(['git', ...SAFETY, '-C', dir, ...args], {
      env,
      signal: options.signal,
      timeoutMs: DEADLINE_MS,
      // One more than is allowed, so that what was cut is seen.
      maxOutputBytes: MAX_LIST_BYTES + 1,
      ...(options.input === undefined ? {} : { input: options.input }),
      ...(options.okStatuses ? { okStatuses: options.okStatuses } : {}),
    });
    if (stdout.length > MAX_LIST_BYTES) throw new ClientError('WORKSPACE_INVALID', `${dir} has too many files.`);
    return stdout;
  } catch (error) {
    options.signal.throwIfAborted();
    if (!(error instanceof ProcessError)) throw error;
    if (error.failure === 'not-found') {
      throw new ClientError('HOST_TOOL_MISSING', 'git is not installed on this host.', {
        hint: 'apt-get install git',
        cause: error,
      });
    }
    const words = error.stderr.trim().split('\n');
    throw new ClientError('WORKSPACE_INVALID', `git cannot read ${dir}: ${words[0] || error.message}`, {
      ...(words.length > 1 && { details: { words: words.slice(0, 10) } }),
      cause: error,
    });
  }
}

/** A list as git gives it with `-z`. */
export function nulSeparated(text: string): readonly string[] {
  return text.split('\0').slice(0, -1);
}
