/** One authenticated connection to a guest: programs, and files sent to it. The guest is not trusted. */
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Client, ClientChannel, ExecOptions } from 'ssh2';
import { AppError, abortCause, describe } from '../../core/app-error.ts';
import type { GuestProgram, GuestProgramSpec } from '../../core/vms/guest-program.ts';
import type { GuestCommand, GuestSession, GuestUpload } from '../../core/vms/ports.ts';
import { attachedLine, signalLine } from './attached-line.ts';
import { AttachedProgram } from './attached-program.ts';
import { commandLine, killLine } from './command-line.ts';
import { OutputTail } from './line-reader.ts';
import { type Execution, RunningProgram, feed } from './running-program.ts';
import { type UploadStream, streamTree, streamUploads } from './upload-stream.ts';

/** From the moment a program is told to die until its connection is given up. */
const KILL_WAIT_MS = 15_000;
/** Longest time an upload may go without the guest taking a byte. */
const UPLOAD_STALL_MS = 120_000;
const CLOSE_WAIT_MS = 2_000;
/** From the wish for a program until the guest has begun it. */
const OPEN_TIMEOUT_MS = 30_000;
/**
 * Of one program, before the guest is cut off. Its outputs share a window of 2 MiB, which ssh2 opens anew as soon as either
 * has room in its own buffer: a guest that keeps to it can leave 6 MiB unread, where nobody reads the other.
 */
const MAX_UNREAD_BYTES = 8 * 2 ** 20;

/** Unpacks below `/`; folders that exist keep their modes, and stay symlinks where they are. */
const UNPACK: Pick<GuestCommand, 'program' | 'args'> = {
  program: '/usr/bin/env',
  args: ['tar', '-C', '/', '-x', '-f', '-', '--no-same-owner', '--no-overwrite-dir', '--keep-directory-symlink'],
};

type Ending =
  | { readonly how: 'ended'; readonly exitStatus: number }
  | { readonly how: 'timeout' }
  | { readonly how: 'aborted' };

export class SshGuestSession implements GuestSession {
  readonly closed: Promise<void>;
  readonly #client: Client;
  /** Rejects once the connection is gone. */
  readonly #lost: Promise<never>;
  readonly #programs = new Set<AttachedProgram>();
  #closing = false;

  /**
   * @param client is connected and authenticated.
   * @param socket what it is connected by.
   */
  constructor(client: Client, socket: Socket) {
    this.#client = client;
    socket.on('data', () => this.#cutOffFlood());
    let lastError: Error | undefined;
    this.#lost = new Promise((_, reject) => {
      client.on('error', (error) => {
        lastError ??= error;
      });
      client.once('close', () => {
        const why = this.#closing ? 'it was closed' : (lastError?.message ?? 'the guest closed it');
        reject(
          new AppError('GUEST_UNREACHABLE', `The connection to the guest was lost: ${why}.`, { cause: lastError }),
        );
      });
    });
    // Nobody may be waiting when it goes.
    this.closed = this.#lost.catch(() => undefined);
  }

  async run(command: GuestCommand, signal: AbortSignal): Promise<{ exitStatus: number; tail: readonly string[] }> {
    const marker = newMarker();
    const output = new OutputTail(command.onLine);
    const ending = await this.#execute(
      {
        line: commandLine(command, marker),
        marker,
        output,
        input: undefined,
        timeoutMs: command.timeoutMs,
      },
      signal,
    );
    if (ending.how === 'ended') return { exitStatus: ending.exitStatus, tail: output.lines };
    if (ending.how === 'aborted') throw abortCause(signal, signal.reason);
    const seconds = Math.round(command.timeoutMs / 1000);
    throw new AppError('BUILD_STEP_TIMEOUT', `${command.program} ran longer than ${seconds} s in the guest.`, {
      details: { program: command.program, args: command.args ?? [], timeoutMs: command.timeoutMs, tail: output.lines },
    });
  }

  async upload(uploads: readonly GuestUpload[], signal: AbortSignal): Promise<void> {
    if (uploads.length > 0) await this.#unpack(streamUploads(uploads), signal);
  }

  async uploadTree(hostDir: string, guestDir: string, signal: AbortSignal): Promise<void> {
    await this.#unpack(streamTree(hostDir, guestDir), signal);
  }

  async open(spec: GuestProgramSpec, signal: AbortSignal): Promise<GuestProgram> {
    signal.throwIfAborted();
    using watch = new Watch(OPEN_TIMEOUT_MS, signal);
    const marker = newMarker();
    const { terminal } = spec;
    const pty = terminal && { cols: terminal.columns, rows: terminal.rows, term: terminal.type };
    const take = (channel: ClientChannel): AttachedProgram => {
      const program = new AttachedProgram(channel, {
        marker,
        sendSignal: (signalNumber, processGroup) => this.#signal(signalNumber, processGroup),
      });
      this.#programs.add(program);
      channel.once('close', () => this.#programs.delete(program));
      return program;
    };
    const opening = this.#open(attachedLine(spec, marker), take, pty ? { pty } : {});
    const opened = await Promise.race([this.#lost, opening, watch.fired]);
    if (typeof opened !== 'string') return opened;
    opening.then(
      (late) => late.end(),
      () => undefined,
    );
    if (opened === 'aborted') throw abortCause(signal, signal.reason);
    throw new AppError('GUEST_UNREACHABLE', `The guest began no program within ${OPEN_TIMEOUT_MS / 1000} s.`);
  }

  abandon(): void {
    this.#client.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing = true;
    this.#client.end();
    await within(
      CLOSE_WAIT_MS,
      this.#lost.catch(() => undefined),
    );
    this.#client.destroy();
  }

  async #unpack(stream: UploadStream, signal: AbortSignal): Promise<void> {
    const output = new OutputTail(undefined);
    const marker = newMarker();
    const line = commandLine(UNPACK, marker);
    try {
      const ending = await this.#execute(
        { line, marker, output, input: stream.chunks, timeoutMs: UPLOAD_STALL_MS },
        signal,
      );
      if (ending.how === 'aborted') throw abortCause(signal, signal.reason);
      if (ending.how === 'timeout') {
        throw new AppError('GUEST_UNREACHABLE', `The guest took no byte of an upload for ${UPLOAD_STALL_MS / 1000} s.`);
      }
      if (ending.exitStatus !== 0) {
        throw new AppError(
          'BUILD_STEP_FAILED',
          `Files could not be written in the guest: ${output.lines.at(-1) ?? ''}`,
          {
            details: { exitStatus: ending.exitStatus, tail: output.lines },
          },
        );
      }
    } finally {
      stream.close();
    }
  }

  /** Starts a program and follows it to its end, which its deadline or the signal may bring about. */
  async #execute(execution: Execution, signal: AbortSignal): Promise<Ending> {
    if (signal.aborted) return { how: 'aborted' };
    using watch = new Watch(execution.timeoutMs, signal);
    const opening = this.#open(execution.line, (channel) => ({
      channel,
      program: new RunningProgram(channel, execution),
    }));
    const opened = await Promise.race([this.#lost, opening, watch.fired]);
    if (typeof opened === 'string') {
      // It may still open; nobody will read from it then.
      opening.then(
        (late) => late.program.close(),
        () => undefined,
      );
      return { how: opened };
    }
    const { channel, program } = opened;
    const fed = execution.input ? feed(channel, execution.input, () => watch.restart()) : Promise.resolve();
    try {
      const first = await Promise.race([this.#lost, program.ended, watch.fired, onlyFailure(fed)]);
      if (first === 'ended') return { how: first, exitStatus: program.exitStatus };
      await this.#kill(program);
      return { how: first };
    } catch (error) {
      program.close();
      throw error;
    }
  }

  /**
   * @param take is given the channel at the very moment it opens: a program that is quick has its exit status in the
   * same packet, and whoever listens a moment later has missed it.
   */
  async #open<T>(line: string, take: (channel: ClientChannel) => T, options: ExecOptions = {}): Promise<T> {
    return new Promise((resolve, reject) => {
      const refuse = (cause: unknown): void => {
        const words = `The guest refused to start a program: ${describe(cause)}`;
        reject(new AppError('GUEST_UNREACHABLE', words, { cause }));
      };
      try {
        this.#client.exec(line, options, (error, channel) => {
          if (error) refuse(error);
          else resolve(take(channel));
        });
      } catch (error) {
        // Thrown at once where the connection is gone.
        refuse(error);
      }
    });
  }

  /** Ends a program's process group by a second channel; where that does not help, the connection is given up. */
  async #kill(program: RunningProgram): Promise<void> {
    const pid = program.pid;
    if (pid !== undefined) {
      const killing = this.#runUnheard(killLine(pid));
      const dead = Promise.all([killing, program.ended]);
      await within(KILL_WAIT_MS, Promise.race([dead, this.#lost.catch(() => undefined)]));
    }
    program.close();
    // sshd cannot be made to answer: what else hangs in this connection must not hang us.
    if (!program.hasEnded) this.#client.destroy();
  }

  #signal(signalNumber: number, processGroup: number): void {
    void this.#runUnheard(signalLine(signalNumber, processGroup));
  }

  /** Starts a command whose output and end are nobody's concern; nor is a connection that is gone. */
  async #runUnheard(line: string): Promise<void> {
    await this.#open(line, (channel) => {
      channel.resume();
      channel.stderr.resume();
    }).catch(() => undefined);
  }

  #cutOffFlood(): void {
    for (const { unreadBytes } of this.#programs) {
      if (unreadBytes > MAX_UNREAD_BYTES) this.#client.destroy();
    }
  }
}

/** A deadline and a signal as one promise. */
class Watch implements Disposable {
  readonly fired: Promise<'timeout' | 'aborted'>;
  readonly #timer: NodeJS.Timeout;
  readonly #signal: AbortSignal;
  #onAbort: () => void = () => undefined;

  constructor(timeoutMs: number, signal: AbortSignal) {
    const { promise, resolve } = Promise.withResolvers<'timeout' | 'aborted'>();
    this.fired = promise;
    this.#signal = signal;
    this.#timer = setTimeout(() => resolve('timeout'), timeoutMs);
    this.#onAbort = () => resolve('aborted');
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  restart(): void {
    this.#timer.refresh();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#signal.removeEventListener('abort', this.#onAbort);
  }
}

/** Rejects as `work` does; its success says nothing: a program that was fed whole may still work on it. */
async function onlyFailure(work: Promise<void>): Promise<never> {
  await work;
  return new Promise<never>(() => undefined);
}

async function within(timeoutMs: number, work: Promise<unknown>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, timeoutMs);
  try {
    await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}

function newMarker(): string {
  return `banger-${randomBytes(8).toString('hex')}`;
}
