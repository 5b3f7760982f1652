/** A program that runs in a guest, as its channel shows it. */
import { constants } from 'node:os';
import type { Readable } from 'node:stream';
import type { ClientChannel } from 'ssh2';
import { AppError } from '../../core/app-error.ts';
import { LineReader, type OutputTail } from './line-reader.ts';

/** For the output of a program that has ended while another still holds its stdout. */
const DRAIN_WAIT_MS = 3_000;

export interface Execution {
  readonly line: string;
  readonly marker: string;
  readonly output: OutputTail;
  readonly input: AsyncIterable<Buffer> | undefined;
  /** Deadline of the whole; of every pause where there is input. */
  readonly timeoutMs: number;
}

/** What is known of a program in the guest from its channel. */
export class RunningProgram {
  /** Settles when the channel is closed, or the program has ended and its output was given time to come. */
  readonly ended: Promise<'ended'>;
  readonly #channel: ClientChannel;
  #pid: number | undefined;
  #exitStatus: number | undefined;
  #hasEnded = false;

  constructor(channel: ClientChannel, execution: Execution) {
    this.#channel = channel;
    const marked = new RegExp(`^(.*)${execution.marker} (\\d{1,10})$`);
    const stdout = new LineReader((line) => {
      const match = this.#pid === undefined ? marked.exec(line) : null;
      if (!match) return execution.output.add(line);
      this.#pid = Number(match[2]);
      // What a shell's own start-up file left on the line.
      if (match[1]) execution.output.add(match[1]);
    });
    const stderr = new LineReader((line) => execution.output.add(line));
    const { promise, resolve } = Promise.withResolvers<'ended'>();
    this.ended = promise;
    let drain: NodeJS.Timeout | undefined;
    const finish = (): void => {
      if (this.#hasEnded) return;
      this.#hasEnded = true;
      clearTimeout(drain);
      stdout.end();
      stderr.end();
      resolve('ended');
    };
    read(channel, (chunk) => {
      drain?.refresh();
      stdout.push(chunk);
    });
    read(channel.stderr, (chunk) => {
      drain?.refresh();
      stderr.push(chunk);
    });
    channel.on('exit', (code: number | null, signalName?: string) => {
      this.#exitStatus = code ?? 128 + signalNumber(signalName);
      // A daemon that the program started may hold its stdout open for ever.
      drain = setTimeout(() => {
        finish();
        channel.destroy();
      }, DRAIN_WAIT_MS);
    });
    channel.on('error', () => undefined);
    channel.once('close', finish);
  }

  get pid(): number | undefined {
    return this.#pid;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** @throws AppError GUEST_UNREACHABLE where the channel closed without one: the guest never said how it ended. */
  get exitStatus(): number {
    if (this.#exitStatus !== undefined) return this.#exitStatus;
    throw new AppError('GUEST_UNREACHABLE', 'The guest closed the channel without saying how the program ended.');
  }

  close(): void {
    this.#channel.destroy();
  }
}

function read(stream: Readable, onChunk: (chunk: Buffer) => void): void {
  stream.on('data', onChunk);
  // `close` comes only after both streams were read to their end.
  stream.resume();
}

function signalNumber(name: string | undefined): number {
  const signals: Readonly<Record<string, number>> = constants.signals;
  return signals[name ?? ''] ?? 0;
}

/** Sends a stream into a program's stdin as fast as the guest takes it. */
export async function feed(
  channel: ClientChannel,
  input: AsyncIterable<Buffer>,
  onProgress: () => void,
): Promise<void> {
  for await (const chunk of input) {
    if (channel.destroyed || !channel.writable) return;
    if (!channel.write(chunk)) await drained(channel);
    onProgress();
  }
  channel.end();
}

async function drained(channel: ClientChannel): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      channel.off('drain', done);
      channel.off('close', done);
      resolve();
    };
    channel.on('drain', done);
    channel.on('close', done);
  });
}
