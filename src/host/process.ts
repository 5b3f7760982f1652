/**
 * The one door to other programs: argv only, never a shell.
 * `run` waits for a program; `supervise` starts one that outlives us.
 */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import { constants } from 'node:os';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { hasCode } from './error-code.ts';
import { childEnvironment } from './search-path.ts';

/** How much of each output stream is kept, `bytes`. */
const DEFAULT_MAX_OUTPUT_BYTES = 8 * 1024 * 1024;
/** From SIGTERM to SIGKILL after an abort or a deadline. */
const KILL_AFTER_MS = 3_000;

export interface RunOptions {
  readonly signal?: AbortSignal;
  /** Deadline; the whole process group is ended then. */
  readonly timeoutMs?: number;
  /** What comes as a stream is read as fast as the program takes it; where it fails, so does the run, with its error. */
  readonly input?: string | Uint8Array | AsyncIterable<Uint8Array>;
  /** Without `input`: its stdin is ours, and not empty. */
  readonly inheritsInput?: boolean;
  readonly cwd?: string;
  /** Added to our own environment; undefined takes a variable out. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Called with each line of stdout and stderr as it comes. */
  readonly onLine?: (line: string, stream: 'stdout' | 'stderr') => void;
  /** Kept of each stream; more is dropped from its beginning. */
  readonly maxOutputBytes?: number;
  /** Exit statuses that are no failure; 0 where left out. */
  readonly okStatuses?: readonly number[];
  /** The program is killed when we end, however we end. Its own children are not: they need namespaces that end with it. */
  readonly endsWithUs?: boolean;
}

/**
 * The kernel sends the signal when the thread that started the program is gone (PR_SET_PDEATHSIG in prctl(2)); in Node
 * that is the main thread. It stays set when setpriv(1) replaces itself by the program.
 */
const END_WITH_US = ['setpriv', '--pdeathsig=KILL', '--'] as const;
/** Of setpriv where there is no such program, as a shell has it. */
const NOT_FOUND_STATUS = 127;

export interface RunResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitStatus: number;
}

export type ProcessFailure = 'not-found' | 'not-started' | 'exit' | 'signal' | 'timeout' | 'aborted';

/** A program that could not be started or did not end well; the facts are fields. */
export class ProcessError extends Error {
  override readonly name = 'ProcessError';
  readonly failure: ProcessFailure;
  readonly program: string;
  readonly exitStatus: number | undefined;
  readonly stdout: string;
  readonly stderr: string;

  constructor(
    failure: ProcessFailure,
    program: string,
    facts: { exitStatus?: number | undefined; stdout?: string; stderr?: string; reason: string; cause?: unknown },
  ) {
    const words = lastLines(facts.stderr ?? '', 3) || lastLines(facts.stdout ?? '', 3);
    super(`${program} ${facts.reason}${words ? `: ${words}` : ''}`, { cause: facts.cause });
    this.failure = failure;
    this.program = program;
    this.exitStatus = facts.exitStatus;
    this.stdout = facts.stdout ?? '';
    this.stderr = facts.stderr ?? '';
  }
}

const NOT_INSTALLED = 'is not installed, or not on PATH';

function lastLines(text: string, count: number): string {
  return text.trimEnd().split('\n').slice(-count).join('\n').trim();
}

/**
 * Runs a program to its end.
 *
 * @throws ProcessError where it cannot be started, exits with another status than `okStatuses`, is ended by a
 * signal, passes its deadline, or `signal` is aborted. After the last two its whole process group is gone.
 */
export async function run(argv: readonly [string, ...string[]], options: RunOptions = {}): Promise<RunResult> {
  const [program] = argv;
  if (options.signal?.aborted) throw new ProcessError('aborted', program, { reason: 'was not started: cancelled' });
  const [command, ...args] = options.endsWithUs ? ([...END_WITH_US, ...argv] as const) : argv;
  const child = start(command, args, {
    cwd: options.cwd,
    env: childEnvironment(options.env),
    stdio: [options.input !== undefined ? 'pipe' : options.inheritsInput ? 'inherit' : 'ignore', 'pipe', 'pipe'],
    // A group of its own, so that a deadline ends grandchildren too.
    detached: true,
  });
  const stdout = collect(child.stdout, 'stdout', options);
  const stderr = collect(child.stderr, 'stderr', options);
  const stop = stopper(child, options);
  try {
    const feeding = feed(child.stdin, options.input);
    const [status, signalName] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
    // Input that has failed says why the program did; what still comes of it is nobody's affair any more.
    if (!stop.cause) await Promise.race([feeding, Promise.resolve()]);
    const output = { stdout: stdout(), stderr: stderr(), exitStatus: status ?? undefined };
    if (stop.cause) {
      const reason = stop.cause === 'timeout' ? `ran longer than ${options.timeoutMs} ms` : 'was cancelled';
      throw new ProcessError(stop.cause, program, { ...output, reason });
    }
    if (status === null) throw new ProcessError('signal', program, { ...output, reason: `was ended by ${signalName}` });
    if (options.endsWithUs && status === NOT_FOUND_STATUS && output.stderr.startsWith('setpriv: ')) {
      throw new ProcessError('not-found', program, { reason: NOT_INSTALLED });
    }
    if (!(options.okStatuses ?? [0]).includes(status)) {
      throw new ProcessError('exit', program, { ...output, reason: `ended with status ${status}` });
    }
    return { stdout: output.stdout, stderr: output.stderr, exitStatus: status };
  } catch (error) {
    throw startFailure(error, command, options.cwd);
  } finally {
    stop.clear();
  }
}

/** `spawn`, which throws some failures (E2BIG, ENOTDIR, a NUL in an argument) and emits the others. */
function start(program: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  try {
    return spawn(program, args, options);
  } catch (error) {
    throw startFailure(error, program);
  }
}

function startFailure(error: unknown, program: string, cwd?: string): unknown {
  if (error instanceof ProcessError || !(error instanceof Error) || !('code' in error)) return error;
  if (cwd !== undefined && !existsSync(cwd)) {
    // The system says ENOENT for this too, as if the program were missing.
    const reason = `could not be started: the folder ${cwd} does not exist`;
    return new ProcessError('not-started', program, { reason, cause: error });
  }
  const missing = error.code === 'ENOENT';
  const reason = missing ? NOT_INSTALLED : `could not be started (${String(error.code)})`;
  return new ProcessError(missing ? 'not-found' : 'not-started', program, { reason, cause: error });
}

/** A program that ends without reading its input is judged by its exit status, not by EPIPE. */
function feed(stdin: Writable | null, input: RunOptions['input']): Promise<void> {
  if (input === undefined || !stdin) return Promise.resolve();
  stdin.on('error', () => undefined);
  if (typeof input === 'string' || input instanceof Uint8Array) {
    stdin.end(input);
    return Promise.resolve();
  }
  const feeding = pump(stdin, input);
  // Waited for once the program has ended.
  feeding.catch(() => undefined);
  return feeding;
}

async function pump(stdin: Writable, input: AsyncIterable<Uint8Array>): Promise<void> {
  try {
    for await (const chunk of input) {
      if (stdin.destroyed) return;
      if (!stdin.write(chunk)) await new Promise<void>((resolve) => settleOnce(stdin, resolve));
    }
  } finally {
    stdin.end();
  }
}

function settleOnce(stdin: Writable, resolve: () => void): void {
  const done = (): void => {
    stdin.off('drain', done);
    stdin.off('close', done);
    resolve();
  };
  stdin.on('drain', done);
  stdin.on('close', done);
}

function collect(stream: Readable | null, name: 'stdout' | 'stderr', options: RunOptions): () => string {
  const limit = options.maxOutputBytes ?? DEFAULT_MAX_OUTPUT_BYTES;
  const chunks: Buffer[] = [];
  let size = 0;
  stream?.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    size += chunk.length;
    while (chunks.length > 1 && size - (chunks[0]?.length ?? 0) >= limit) size -= chunks.shift()?.length ?? 0;
  });
  const onLine = options.onLine;
  if (stream && onLine) createInterface({ input: stream }).on('line', (line) => onLine(line, name));
  return () => Buffer.concat(chunks).subarray(-limit).toString('utf8');
}

function stopper(
  child: ChildProcess,
  options: RunOptions,
): { readonly cause: 'timeout' | 'aborted' | undefined; clear: () => void } {
  let cause: 'timeout' | 'aborted' | undefined;
  let killTimer: NodeJS.Timeout | undefined;
  const stop = (why: 'timeout' | 'aborted'): void => {
    if (cause) return;
    cause = why;
    signalGroup(child.pid, 'SIGTERM');
    killTimer = setTimeout(() => {
      signalGroup(child.pid, 'SIGKILL');
      // A process that left the group may hold our pipes for ever: no more is read from it.
      child.stdout?.destroy();
      child.stderr?.destroy();
    }, KILL_AFTER_MS);
  };
  const onAbort = (): void => stop('aborted');
  options.signal?.addEventListener('abort', onAbort, { once: true });
  const deadline = options.timeoutMs === undefined ? undefined : setTimeout(() => stop('timeout'), options.timeoutMs);
  return {
    get cause() {
      return cause;
    },
    clear() {
      // The program itself is gone by now; what it started and left behind goes without delay.
      if (cause) signalGroup(child.pid, 'SIGKILL');
      clearTimeout(deadline);
      clearTimeout(killTimer);
      options.signal?.removeEventListener('abort', onAbort);
    },
  };
}

function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if (!hasCode(error, 'ESRCH')) throw error;
  }
}

export interface AttachOptions {
  /** Added to our own environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Where the program's stdout goes; ours where left out. */
  readonly stdout?: 'stdout' | 'stderr';
}

/**
 * Runs a program on our own terminal: stdin, stdout and stderr are ours. SIGINT, SIGTERM and SIGHUP are passed on to
 * it: it decides what they mean, and we wait for it.
 *
 * @returns its exit status; 128 + the signal's number where a signal ended it, as a shell has it.
 * @throws ProcessError where it cannot be started.
 */
export async function attach(argv: readonly [string, ...string[]], options: AttachOptions = {}): Promise<number> {
  const [program, ...args] = argv;
  const child = start(program, args, {
    stdio: ['inherit', options.stdout === 'stderr' ? 2 : 'inherit', 'inherit'],
    env: childEnvironment(options.env),
  });
  const passOn = (signal: NodeJS.Signals): void => {
    // Ctrl-C reaches everything on the terminal by itself: passed on, it would count twice.
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, passOn);
  try {
    const [status, signalName] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
    return status ?? 128 + (signalName ? constants.signals[signalName] : 0);
  } catch (error) {
    throw startFailure(error, program);
  } finally {
    for (const signal of signals) process.off(signal, passOn);
  }
}

export interface SuperviseOptions {
  /** File that takes stdout and stderr; created 0600, appended to. */
  readonly logPath: string;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

export interface Supervised {
  readonly pid: number;
  /** Settles when the program ends while we live; after a restart of ours, evidence tells instead. */
  readonly exited: Promise<{ exitStatus: number | null; signal: NodeJS.Signals | null }>;
}

/**
 * Starts a program in a session of its own that tells on its stdout, in one line, when it is ready.
 * Only stderr goes to the log; after that line nobody reads its stdout.
 *
 * @returns `announced`: the line; undefined where stdout is closed without one.
 * @throws ProcessError where it cannot be started.
 */
export async function superviseAnnounced(
  argv: readonly [string, ...string[]],
  options: SuperviseOptions,
): Promise<Supervised & { readonly announced: Promise<string | undefined> }> {
  const { child, exited } = await startSession(argv, 'pipe', options);
  const { stdout } = child;
  if (child.pid === undefined || !stdout) throw new ProcessError('not-started', argv[0], { reason: 'has no output' });
  const announced = new Promise<string | undefined>((resolve) => {
    const lines = createInterface({ input: stdout });
    lines.once('line', resolve);
    // Its stdout is a pipe of ours: it must not keep us alive once it has been read.
    lines.once('line', () => stdout.destroy());
    lines.once('close', () => resolve(undefined));
  });
  return { pid: child.pid, exited, announced };
}

/**
 * Starts a program in a session of its own: it goes on when we end.
 *
 * @throws ProcessError where it cannot be started.
 */
export async function supervise(argv: readonly [string, ...string[]], options: SuperviseOptions): Promise<Supervised> {
  const { child, exited } = await startSession(argv, 'log', options);
  if (child.pid === undefined) throw new ProcessError('not-started', argv[0], { reason: 'has no pid' });
  return { pid: child.pid, exited };
}

async function startSession(
  argv: readonly [string, ...string[]],
  stdout: 'log' | 'pipe',
  options: SuperviseOptions,
): Promise<{ readonly child: ChildProcess; readonly exited: Supervised['exited'] }> {
  const [program, ...args] = argv;
  const log = openSync(options.logPath, 'a', 0o600);
  try {
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: childEnvironment(options.env),
      stdio: ['ignore', stdout === 'log' ? log : 'pipe', log],
      detached: true,
    });
    const exited = new Promise<{ exitStatus: number | null; signal: NodeJS.Signals | null }>((resolve) => {
      child.once('exit', (exitStatus, signal) => resolve({ exitStatus, signal }));
    });
    await once(child, 'spawn');
    child.unref();
    return { child, exited };
  } catch (error) {
    throw startFailure(error, program, options.cwd);
  } finally {
    closeSync(log);
  }
}
