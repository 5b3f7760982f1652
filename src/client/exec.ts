/** A command in a VM, through the daemon: its input and outputs over one connection. */
import type { Socket } from 'node:net';
import {
  encodeMessage,
  type ExecEnd,
  type ExecMessage,
  type ExecReply,
  ExecReplyReader,
  type ExecRequest,
  type ExecSignal,
  FIRST_ROOM_BYTES,
  type TerminalSize,
} from '../contracts/exec-stream.ts';
import { hasCode } from '../host/error-code.ts';
import { ClientError } from './client-error.ts';
import type { Session } from './session.ts';

/** Of one frame with input. */
const PIECE_BYTES = 64 * 1024;

export interface ExecPlan {
  readonly vmName: string;
  readonly request: ExecRequest;
  /** Left out: the command's stdin is empty. */
  readonly input?: AsyncIterable<Uint8Array> | undefined;
  /** Called with the next piece once the promise for this one is settled. */
  readonly onStdout: (data: Uint8Array) => Promise<void> | void;
  readonly onStderr: (data: Uint8Array) => Promise<void> | void;
}

export interface ExecControls {
  /** Sends a signal to the command's process group. */
  signal(signal: ExecSignal): void;
  resize(size: TerminalSize): void;
}

export interface RunningExec extends ExecControls {
  /**
   * @throws ClientError where it cannot be run, ExecLostError where it was lost; what `input` or a handler throws; the
   * signal's reason. The command is ended then.
   */
  readonly ended: Promise<ExecEnd>;
}

/** The command was begun, and nobody knows how it ended. */
export class ExecLostError extends ClientError {}

/**
 * Runs a command in a VM.
 *
 * @throws ClientError where the VM is not there or does not run.
 */
export async function startExec(session: Session, plan: ExecPlan, signal?: AbortSignal): Promise<RunningExec> {
  const socket = await session.upgrade('vmExec', { name: plan.vmName }, signal);
  // Its own breaking is seen where it is read.
  socket.on('error', () => undefined);
  const send = (message: ExecMessage): boolean => socket.write(encodeMessage(message));
  send({ kind: 'start', request: plan.request });
  const room = new Room();
  const feeding = feed(send, room, plan.input);
  const onAbort = (): void => void socket.destroy();
  signal?.addEventListener('abort', onAbort, { once: true });
  if (signal?.aborted) onAbort();
  const ended = Promise.race([follow(socket, plan, room), onlyFailure(feeding)])
    .catch((error: unknown) => {
      signal?.throwIfAborted();
      throw error;
    })
    .finally(() => {
      signal?.removeEventListener('abort', onAbort);
      room.close();
      socket.destroy();
    });
  return {
    signal: (name) => void send({ kind: 'signal', signal: name }),
    resize: (size) => void send({ kind: 'size', size }),
    ended,
  };
}

async function follow(socket: Socket, plan: ExecPlan, room: Room): Promise<ExecEnd> {
  const reader = new ExecReplyReader();
  try {
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      for (const reply of reader.push(chunk)) {
        const end = await take(reply, plan, room);
        if (end) return end;
      }
    }
  } catch (error) {
    if (!isBroken(error)) throw error;
  }
  throw new ExecLostError('DAEMON_UNREACHABLE', `The daemon has gone while the command ran in ${plan.vmName}.`, {
    hint: '`banger daemon logs` tells why; a daemon that was stopped ends what runs through it.',
  });
}

async function take(reply: ExecReply, plan: ExecPlan, room: Room): Promise<ExecEnd | undefined> {
  switch (reply.kind) {
    case 'stdout':
      await plan.onStdout(reply.data);
      return undefined;
    case 'stderr':
      await plan.onStderr(reply.data);
      return undefined;
    case 'room':
      room.add(reply.bytes);
      return undefined;
    case 'exit':
      return reply.end;
    case 'error': {
      const { code, message } = reply.error;
      if (code === 'GUEST_UNREACHABLE') throw new ExecLostError(code, message, reply.error);
      throw ClientError.fromBody(reply.error);
    }
  }
}

async function feed(
  send: (message: ExecMessage) => boolean,
  room: Room,
  input: AsyncIterable<Uint8Array> | undefined,
): Promise<void> {
  for await (const chunk of input ?? []) {
    for (let at = 0; at < chunk.length;) {
      const piece = chunk.subarray(at, at + PIECE_BYTES);
      // Else the command has ended.
      if (!(await room.take(piece.length))) return;
      send({ kind: 'stdin', data: piece });
      at += piece.length;
    }
  }
  send({ kind: 'stdinEnd' });
}

/** How much input may still be sent. */
class Room {
  #bytes = FIRST_ROOM_BYTES;
  #isClosed = false;
  #wake: () => void = () => undefined;

  add(bytes: number): void {
    this.#bytes += bytes;
    this.#wake();
  }

  close(): void {
    this.#isClosed = true;
    this.#wake();
  }

  /**
   * Waits until there is room for all of it: pieces that are cut to what room there is become ever smaller.
   *
   * @param wanted at most FIRST_ROOM_BYTES. @returns false where there will be none any more.
   */
  async take(wanted: number): Promise<boolean> {
    while (this.#bytes < wanted && !this.#isClosed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#bytes -= wanted;
    return !this.#isClosed;
  }
}

async function onlyFailure(work: Promise<void>): Promise<never> {
  await work;
  return new Promise<never>(() => undefined);
}

function isBroken(error: unknown): boolean {
  return hasCode(error, 'ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE', 'ERR_STREAM_DESTROYED');
}
