import type { Duplex } from 'node:stream';
import type { HostMessage } from '../../contracts/agent-messages.ts';
import { AppError, toAppError } from '../../core/app-error.ts';
import { FramePace } from './frame-pace.ts';
import { type FramePiece, FrameSplitter } from './frame-splitter.ts';

/** The stream to a guest's agent: lines in, at a bounded pace; messages out; and one end, whoever brings it about. */
export class AgentWire {
  /** Settles with the reason once it is over; never rejects. The stream is destroyed then. */
  readonly ended: Promise<AppError>;
  readonly #stream: Duplex;
  readonly #splitter = new FrameSplitter();
  readonly #pace = new FramePace();
  readonly #settle: (reason: AppError) => void;
  /** What is left of the last chunk. */
  #pieces: Iterator<FramePiece, void, undefined> | undefined;
  #take: ((piece: FramePiece) => void) | undefined;
  #pause: NodeJS.Timeout | undefined;
  /** The stream has given all it had. */
  #isAtEnd = false;
  #reason: AppError | undefined;

  constructor(stream: Duplex) {
    this.#stream = stream;
    const { promise, resolve } = Promise.withResolvers<AppError>();
    this.ended = promise;
    this.#settle = resolve;
    stream.on('error', (error) => this.end(lost(`The stream to the agent broke: ${error.message}.`, error)));
    stream.on('readable', () => this.#read());
    stream.on('end', () => {
      this.#isAtEnd = true;
      this.#read();
    });
    // After its end, what came last may not have been taken yet.
    stream.on('close', () => this.#isAtEnd || this.end(lost('The stream to the agent was closed.')));
    // Such a stream tells nothing any more.
    if (stream.destroyed || stream.readableEnded) this.end(lost('The stream to the agent was closed already.'));
  }

  /** Why it is over; undefined while it is not. */
  get reason(): AppError | undefined {
    return this.#reason;
  }

  /** Whether what was sent so far has left, but for a bounded rest. */
  get hasRoom(): boolean {
    return !this.#stream.writableNeedDrain;
  }

  /** Calls `listener` each time there is room again. */
  onRoom(listener: () => void): void {
    this.#stream.on('drain', listener);
  }

  send(message: HostMessage): void {
    // The agent may hold half a frame of a daemon that was killed, which would swallow the hello if it had no end.
    const lead = message.type === 'hello' ? '\n' : '';
    if (!this.#reason) this.#stream.write(`${lead}${JSON.stringify(message)}\n`);
  }

  /** Gives every piece from now on to `take`; what it throws ends the wire. */
  readWith(take: (piece: FramePiece) => void): void {
    this.#take = take;
    this.#read();
  }

  /** Reads nothing more until `readWith` is called again; nothing is lost. */
  hold(): void {
    this.#take = undefined;
  }

  /** The first reason is kept. */
  end(reason: AppError): void {
    if (this.#reason) return;
    this.#reason = reason;
    clearTimeout(this.#pause);
    this.#take = undefined;
    this.#pieces = undefined;
    this.#stream.destroy();
    this.#settle(reason);
  }

  #read(): void {
    try {
      while (this.#take && !this.#pause && !this.#reason) {
        const piece = this.#nextPiece();
        if (!piece) {
          if (this.#isAtEnd) this.end(lost('The stream to the agent ended.'));
          return;
        }
        const waitMs = this.#pace.charge(piece.sizeBytes, performance.now());
        if (waitMs > 0) this.#rest(waitMs);
        this.#take(piece);
      }
    } catch (error) {
      this.end(toAppError(error));
    }
  }

  #nextPiece(): FramePiece | undefined {
    for (;;) {
      const next = this.#pieces?.next();
      if (next && !next.done) return next.value;
      const chunk = this.#stream.read() as Buffer | null;
      this.#pieces = chunk === null ? undefined : this.#splitter.push(chunk);
      if (!this.#pieces) return undefined;
    }
  }

  #rest(waitMs: number): void {
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      this.#read();
    }, waitMs);
  }
}

function lost(message: string, cause?: Error): AppError {
  return new AppError('AGENT_UNREACHABLE', message, { cause });
}
