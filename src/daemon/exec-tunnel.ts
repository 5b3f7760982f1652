/** The daemon's end of `vm exec`: frames on one side, a program in a guest on the other. */
import { type Duplex, duplexPair } from 'node:stream';
import { execRequestSchema } from '../contracts/exec.ts';
import {
  BadFrameError,
  encodeReply,
  type ExecMessage,
  ExecMessageReader,
  type ExecReply,
  FIRST_ROOM_BYTES,
} from '../contracts/exec-stream.ts';
import { checkRequest } from '../contracts/request-check.ts';
import { AppError, toAppError } from '../core/app-error.ts';
import type { GuestProgram } from '../core/vms/guest-program.ts';
import type { ReachedGuest } from '../core/vms/exec-service.ts';

/** Of one frame with output, so that a client that reads piece by piece gets it so. */
const PIECE_BYTES = 256 * 1024;
/** Of room that is told at once. */
const ROOM_STEP_BYTES = FIRST_ROOM_BYTES / 4;
/** For the news that the VMM is gone to come after the connection to its guest was lost. */
const NEWS_WAIT_MS = 3_000;

/** @returns the stream that is joined with the client's connection. The command ends with it. */
export function execTunnel(guest: ReachedGuest): Duplex {
  const [outer, inner] = duplexPair();
  new ExecConversation(guest, inner).begin();
  return outer;
}

class ExecConversation {
  readonly #guest: ReachedGuest;
  readonly #client: Duplex;
  readonly #gone = new AbortController();
  readonly #reader = new ExecMessageReader();
  #program: Promise<GuestProgram> | undefined;
  /** Stdin that the client may still send. */
  #room = FIRST_ROOM_BYTES;
  /** Stdin that the guest has not taken yet. */
  #untakenBytes = 0;
  /** Room that the client has not been told of yet. */
  #untoldBytes = 0;

  constructor(guest: ReachedGuest, client: Duplex) {
    this.#guest = guest;
    this.#client = client;
  }

  begin(): void {
    const client = this.#client;
    client.on('error', () => undefined);
    client.on('data', (chunk: Buffer) => this.#read(chunk));
    // A client that ends its half is gone: it has nothing more to hear.
    for (const event of ['end', 'close'] as const) {
      client.once(event, () => {
        this.#gone.abort();
        client.end();
      });
    }
  }

  /** Nothing here waits: a signal must not wait behind stdin that the guest does not take. */
  #read(chunk: Buffer): void {
    if (this.#gone.signal.aborted) return;
    try {
      for (const message of this.#reader.push(chunk)) this.#take(message);
    } catch (error) {
      if (!(error instanceof BadFrameError)) throw error;
      const refusal = new AppError('REQUEST_INVALID', `Not a message we can read: ${error.message}`);
      this.#client.end(encodeReply({ kind: 'error', error: refusal.toBody() }));
      this.#gone.abort();
    }
  }

  #take(message: ExecMessage): void {
    if (message.kind === 'start') {
      if (this.#program) throw new BadFrameError('a second start');
      this.#program = this.#open(message.request);
      void this.#follow(this.#program);
      return;
    }
    if (!this.#program) throw new BadFrameError('the first frame is no start');
    if (message.kind === 'stdin') {
      this.#room -= message.data.length;
      if (this.#room < 0) throw new BadFrameError('more stdin than there was room for');
    }
    this.#program.then(
      (program) => this.#apply(program, message),
      // Told of by who follows it.
      () => undefined,
    );
  }

  #apply(program: GuestProgram, message: Exclude<ExecMessage, { kind: 'start' }>): void {
    switch (message.kind) {
      case 'stdin':
        void this.#write(program, message.data);
        break;
      case 'stdinEnd':
        program.endInput();
        break;
      case 'size':
        program.resize(message.size);
        break;
      case 'signal':
        program.signal(message.signal);
        break;
    }
  }

  /** The client is told of room in large pieces, and of all of it where it may be waiting for that. */
  async #write(program: GuestProgram, data: Uint8Array): Promise<void> {
    this.#untakenBytes += data.length;
    await program.write(data);
    this.#untakenBytes -= data.length;
    this.#untoldBytes += data.length;
    if (this.#untakenBytes > 0 && this.#untoldBytes < ROOM_STEP_BYTES) return;
    const bytes = this.#untoldBytes;
    this.#untoldBytes = 0;
    this.#room += bytes;
    await this.#send({ kind: 'room', bytes });
  }

  async #open(request: unknown): Promise<GuestProgram> {
    const checked = checkRequest(execRequestSchema, request);
    if (checked.ok) return this.#guest.open(checked.value, this.#gone.signal);
    const { code, message, details } = checked.fault;
    throw new AppError(code, message, { details });
  }

  async #follow(opening: Promise<GuestProgram>): Promise<void> {
    try {
      const program = await opening;
      void this.#whenGone().then(() => program.end());
      await Promise.all([this.#pump('stdout', program.stdout), this.#pump('stderr', program.stderr)]);
      const end = await program.ended.catch(() => this.#lost());
      await this.#send({ kind: 'exit', end });
    } catch (error) {
      await this.#send({ kind: 'error', error: toAppError(error).toBody() });
    }
    this.#client.end();
  }

  async #whenGone(): Promise<void> {
    const { signal } = this.#gone;
    if (signal.aborted) return;
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  }

  async #lost(): Promise<never> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, NEWS_WAIT_MS);
    const news = AbortSignal.any([this.#guest.ended, this.#gone.signal]);
    news.addEventListener('abort', () => resolve(), { once: true });
    if (!news.aborted) await promise;
    clearTimeout(timer);
    throw this.#guest.whyLost();
  }

  async #pump(kind: 'stdout' | 'stderr', output: AsyncIterable<Buffer>): Promise<void> {
    for await (const chunk of output) {
      for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
        await this.#send({ kind, data: chunk.subarray(at, at + PIECE_BYTES) });
      }
    }
  }

  /** Settles when the client has room for more, or is gone. */
  async #send(reply: ExecReply): Promise<void> {
    const client = this.#client;
    const { signal } = this.#gone;
    // Nothing follows the last frame: input may be taken after the program has ended.
    if (signal.aborted || client.writableEnded || client.write(encodeReply(reply))) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const done = (): void => resolve();
    client.once('drain', done);
    signal.addEventListener('abort', done, { once: true });
    await promise;
    client.off('drain', done);
    signal.removeEventListener('abort', done);
  }
}
