/**
 * What goes over the connection of `vm exec` once it is upgraded. Pure: bytes in, messages out. Without the schemas
 * (exec.ts), which take longer to load than a short command may.
 *
 *   frame: kind (1 byte), length of the payload (4 bytes, big-endian), payload
 *
 *   to the daemon                            from the daemon
 *   0  start          ExecRequest, JSON      16  stdout  bytes
 *   1  stdin          bytes                  17  stderr  bytes
 *   2  end of stdin   nothing                18  room    4 bytes: so much more of stdin may be sent
 *   3  size           2 and 2 bytes          19  exit    ExecEnd, JSON
 *   4  signal         its name               20  error   ErrorBody, JSON
 *
 * `start` comes first. Stdin is sent only as far as there was room for it, so that the daemon can always read on and a
 * signal never waits behind it. `exit` or `error` is the last frame.
 */
import type { ErrorBody } from './errors.ts';

/** Signals that can be sent to a command; numbers are Linux's own. */
export const EXEC_SIGNALS = { HUP: 1, INT: 2, QUIT: 3, KILL: 9, USR1: 10, USR2: 12, TERM: 15 } as const;
export type ExecSignal = keyof typeof EXEC_SIGNALS;

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

export interface ExecRequest {
  /** One word is text for the shell of the guest's root; several are a program and its arguments. */
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Absolute path in the guest; left out: the VM's workspace, else the user's home. */
  readonly workdir?: string | undefined;
  /** Left out: root. */
  readonly user?: string | undefined;
  /** Gives the command a terminal. */
  readonly terminal?: (TerminalSize & { readonly type: string }) | undefined;
}

/** How a command ended: exactly one of both is there. */
export interface ExecEnd {
  readonly exitStatus?: number | undefined;
  /** Without `SIG`. */
  readonly signal?: string | undefined;
}

export type ExecMessage =
  | { readonly kind: 'start'; readonly request: unknown }
  | { readonly kind: 'stdin'; readonly data: Uint8Array }
  | { readonly kind: 'stdinEnd' }
  | { readonly kind: 'size'; readonly size: TerminalSize }
  | { readonly kind: 'signal'; readonly signal: ExecSignal };

export type ExecReply =
  | { readonly kind: 'stdout'; readonly data: Uint8Array }
  | { readonly kind: 'stderr'; readonly data: Uint8Array }
  | { readonly kind: 'room'; readonly bytes: number }
  | { readonly kind: 'exit'; readonly end: ExecEnd }
  | { readonly kind: 'error'; readonly error: ErrorBody };

const KINDS = {
  start: 0,
  stdin: 1,
  stdinEnd: 2,
  size: 3,
  signal: 4,
  stdout: 16,
  stderr: 17,
  room: 18,
  exit: 19,
  error: 20,
} as const;

const HEADER_BYTES = 5;
/** Of a frame that is kept until it is whole. A command line has at most 128 KiB on Linux. */
const MAX_CONTROL_BYTES = 512 * 1024;
/** Of a frame whose payload is handed on as it comes. */
const MAX_DATA_BYTES = 4 * 2 ** 20;
/** Stdin that may be under way before the first `room`. */
export const FIRST_ROOM_BYTES = 256 * 1024;

/** Bytes that are no frames of this protocol. */
export class BadFrameError extends Error {
  override readonly name = 'BadFrameError';
}

interface Frame {
  readonly kind: number;
  readonly payload: Uint8Array;
}

/** Cuts a stream of bytes into frames. Payloads of data are views of what was pushed, in as many pieces as it came in. */
class FrameReader {
  readonly #streamed: readonly number[];
  readonly #header = new Uint8Array(HEADER_BYTES);
  #headerLength = 0;
  #kind = 0;
  #missing = 0;
  #payload: Uint8Array | undefined;

  /** @param streamed kinds of frames that carry data. */
  constructor(streamed: readonly number[]) {
    this.#streamed = streamed;
  }

  *push(chunk: Uint8Array): Generator<Frame, void, undefined> {
    let at = 0;
    while (at < chunk.length) {
      if (this.#headerLength < HEADER_BYTES) {
        const piece = chunk.subarray(at, at + HEADER_BYTES - this.#headerLength);
        this.#header.set(piece, this.#headerLength);
        this.#headerLength += piece.length;
        at += piece.length;
        if (this.#headerLength < HEADER_BYTES) return;
        this.#begin();
      } else {
        const piece = chunk.subarray(at, at + this.#missing);
        at += piece.length;
        yield* this.#take(piece);
      }
      // A frame without payload is over with its header.
      if (this.#missing === 0) yield* this.#finish();
    }
  }

  #begin(): void {
    const view = new DataView(this.#header.buffer);
    this.#kind = view.getUint8(0);
    this.#missing = view.getUint32(1);
    const streamed = this.#streamed.includes(this.#kind);
    const limit = streamed ? MAX_DATA_BYTES : MAX_CONTROL_BYTES;
    if (this.#missing > limit) {
      throw new BadFrameError(`a frame of kind ${this.#kind} has ${this.#missing} bytes; ${limit} are allowed`);
    }
    this.#payload = streamed ? undefined : new Uint8Array(this.#missing);
  }

  *#take(piece: Uint8Array): Generator<Frame, void, undefined> {
    if (this.#payload) this.#payload.set(piece, this.#payload.length - this.#missing);
    this.#missing -= piece.length;
    if (!this.#payload) yield { kind: this.#kind, payload: piece };
  }

  *#finish(): Generator<Frame, void, undefined> {
    this.#headerLength = 0;
    if (this.#payload) yield { kind: this.#kind, payload: this.#payload };
  }
}

/** Reads what a client sends. */
export class ExecMessageReader {
  readonly #frames = new FrameReader([KINDS.stdin]);

  /** @throws BadFrameError. The request of `start` is any JSON. */
  *push(chunk: Uint8Array): Generator<ExecMessage, void, undefined> {
    for (const frame of this.#frames.push(chunk)) yield readMessage(frame);
  }
}

/** Reads what the daemon answers. */
export class ExecReplyReader {
  readonly #frames = new FrameReader([KINDS.stdout, KINDS.stderr]);

  /** @throws BadFrameError. What is JSON is taken as it is: it comes from a daemon of our own build. */
  *push(chunk: Uint8Array): Generator<ExecReply, void, undefined> {
    for (const frame of this.#frames.push(chunk)) yield readReply(frame);
  }
}

function readMessage({ kind, payload }: Frame): ExecMessage {
  switch (kind) {
    case KINDS.start:
      return { kind: 'start', request: parseJson(payload) };
    case KINDS.stdin:
      return { kind: 'stdin', data: payload };
    case KINDS.stdinEnd:
      return { kind: 'stdinEnd' };
    case KINDS.size: {
      const view = viewOf(payload, 4);
      return { kind: 'size', size: { columns: view.getUint16(0), rows: view.getUint16(2) } };
    }
    case KINDS.signal: {
      const signal = new TextDecoder().decode(payload);
      if (!Object.hasOwn(EXEC_SIGNALS, signal)) throw new BadFrameError('a frame names an unknown signal');
      return { kind: 'signal', signal: signal as ExecSignal };
    }
    default:
      throw new BadFrameError(`a frame has the unknown kind ${kind}`);
  }
}

function readReply({ kind, payload }: Frame): ExecReply {
  switch (kind) {
    case KINDS.stdout:
      return { kind: 'stdout', data: payload };
    case KINDS.stderr:
      return { kind: 'stderr', data: payload };
    case KINDS.room:
      return { kind: 'room', bytes: viewOf(payload, 4).getUint32(0) };
    case KINDS.exit:
      return { kind: 'exit', end: parseJson(payload) as ExecEnd };
    case KINDS.error:
      return { kind: 'error', error: parseJson(payload) as ErrorBody };
    default:
      throw new BadFrameError(`a frame has the unknown kind ${kind}`);
  }
}

/** One message as bytes; data of more than 4 MiB is to be cut by the caller. */
export function encodeMessage(message: ExecMessage): Uint8Array {
  switch (message.kind) {
    case 'start':
      return frame(KINDS.start, jsonBytes(message.request));
    case 'stdin':
      return frame(KINDS.stdin, message.data);
    case 'stdinEnd':
      return frame(KINDS.stdinEnd, new Uint8Array());
    case 'size': {
      const payload = new Uint8Array(4);
      const view = new DataView(payload.buffer);
      view.setUint16(0, message.size.columns);
      view.setUint16(2, message.size.rows);
      return frame(KINDS.size, payload);
    }
    case 'signal':
      return frame(KINDS.signal, new TextEncoder().encode(message.signal));
  }
}

/** One reply as bytes; data of more than 4 MiB is to be cut by the caller. */
export function encodeReply(reply: ExecReply): Uint8Array {
  switch (reply.kind) {
    case 'stdout':
      return frame(KINDS.stdout, reply.data);
    case 'stderr':
      return frame(KINDS.stderr, reply.data);
    case 'room': {
      const payload = new Uint8Array(4);
      new DataView(payload.buffer).setUint32(0, reply.bytes);
      return frame(KINDS.room, payload);
    }
    case 'exit':
      return frame(KINDS.exit, jsonBytes(reply.end));
    case 'error':
      return frame(KINDS.error, jsonBytes(reply.error));
  }
}

function frame(kind: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, kind);
  view.setUint32(1, payload.length);
  bytes.set(payload, HEADER_BYTES);
  return bytes;
}

function viewOf(payload: Uint8Array, length: number): DataView {
  if (payload.length !== length) throw new BadFrameError(`a frame has ${payload.length} bytes instead of ${length}`);
  return new DataView(payload.buffer, payload.byteOffset, length);
}

function jsonBytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

function parseJson(payload: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(payload));
  } catch (error) {
    if (error instanceof SyntaxError) throw new BadFrameError('a frame holds no JSON', { cause: error });
    throw error;
  }
}
