/** Commands in a guest whose answers are read by us. A guest may answer anything, of any length. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import type { ExecEnd } from '../contracts/exec-stream.ts';
import { packageRoot } from '../host/build-id.ts';
import { type ExecPlan, startExec } from './exec.ts';
import type { Session } from './session.ts';

/** Of an answer that is kept whole. */
const MAX_ANSWER_BYTES = 64 * 1024;
/** Of what a command says on stderr: the end of it. */
const MAX_WORDS_BYTES = 4 * 1024;

export interface GuestCommand {
  readonly vmName: string;
  readonly command: readonly string[];
  readonly input?: AsyncIterable<Uint8Array>;
}

export interface GuestAnswer {
  readonly end: ExecEnd;
  /** Its last words on stderr. */
  readonly words: string;
}

/** The command that runs a script of the project's `guest` folder: it goes along as an argument, and so do its own. */
export async function scriptCommand(name: string, ...args: readonly string[]): Promise<readonly string[]> {
  const script = await readFile(join(packageRoot(), 'guest', name), 'utf8');
  return ['/bin/sh', '-c', script, name, ...args];
}

/** Runs a command and gives its stdout whole, as far as it is short. */
export async function askGuest(
  session: Session,
  command: GuestCommand,
  signal: AbortSignal,
): Promise<GuestAnswer & { readonly stdout: string }> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  const onStdout = (data: Uint8Array): void => {
    if (size < MAX_ANSWER_BYTES) chunks.push(data);
    size += data.length;
  };
  const answer = await runInGuest(session, { ...command, onStdout }, signal);
  return { ...answer, stdout: Buffer.concat(chunks).subarray(0, MAX_ANSWER_BYTES).toString('utf8') };
}

/** Runs a command whose stdout somebody takes piece by piece. It runs in `/`, whatever the VM has as a workspace. */
export async function runInGuest(
  session: Session,
  { vmName, command, input, onStdout }: GuestCommand & Pick<ExecPlan, 'onStdout'>,
  signal: AbortSignal,
): Promise<GuestAnswer> {
  let words: Buffer = Buffer.alloc(0);
  const onStderr = (data: Uint8Array): void => {
    words = Buffer.concat([words, data]).subarray(-MAX_WORDS_BYTES);
  };
  const request = { command, workdir: '/', env: { LC_ALL: 'C.UTF-8' } };
  const running = await startExec(session, { vmName, request, input, onStdout, onStderr }, signal);
  const end = await running.ended;
  return { end, words: words.toString('utf8').trim() };
}

/**
 * Runs a command and hands its stdout to somebody who reads it as a stream. Where that one fails, the command is ended.
 *
 * @returns what the reader gave.
 * @throws what the reader has thrown, else what the command's end is worth.
 */
export async function pipeFromGuest<Result>(
  session: Session,
  command: GuestCommand,
  options: {
    readonly read: (chunks: AsyncIterable<Uint8Array>) => Promise<Result>;
    /** Throws for an end that is none to be content with: that says more than what was read until then. */
    readonly judge: (answer: GuestAnswer) => void;
    readonly signal: AbortSignal;
  },
): Promise<Result> {
  const pipe = new PassThrough({ highWaterMark: 256 * 1024 });
  pipe.on('error', () => undefined);
  const unwanted = new AbortController();
  const reading = options.read(pipe).then(
    (value) => ({ ok: true, value }) as const,
    (error: unknown) => {
      unwanted.abort(error);
      pipe.destroy();
      return { ok: false, error } as const;
    },
  );
  // Called once it is taken up, or there is nobody any more who would.
  const onStdout = (data: Uint8Array): Promise<void> =>
    new Promise((resolve) => {
      if (pipe.destroyed) resolve();
      else pipe.write(data, () => resolve());
    });
  try {
    const signal = AbortSignal.any([options.signal, unwanted.signal]);
    const answer = await runInGuest(session, { ...command, onStdout }, signal);
    options.judge(answer);
  } catch (error) {
    const wasUnwanted = unwanted.signal.aborted;
    pipe.destroy(error instanceof Error ? error : undefined);
    const outcome = await reading;
    throw wasUnwanted && !outcome.ok ? outcome.error : error;
  }
  pipe.end();
  const outcome = await reading;
  if (outcome.ok) return outcome.value;
  throw outcome.error;
}
