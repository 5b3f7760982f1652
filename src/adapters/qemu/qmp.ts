/** Client of QEMU's control socket. QEMU serves one client at a time; the next one waits until this one has gone. */
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasCode } from '../../host/error-code.ts';
import { LineSplitter, parseQmpMessage, QmpError, type QmpEvent, type QmpMessage } from './qmp-message.ts';

/** Between two tries to connect while QEMU has not made its socket yet. */
const CONNECT_RETRY_MS = 10;

export interface ConnectQmpOptions {
  /** For the socket to appear, the greeting and the handshake together. */
  readonly timeoutMs: number;
  readonly onEvent: (event: QmpEvent) => void;
}

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Connects, and waits for the greeting. A socket that is not there yet is waited for.
 *
 * @throws QmpError past the deadline or where QEMU does not speak the protocol; the signal's reason where it is aborted.
 */
export async function connectQmp(
  socketPath: string,
  options: ConnectQmpOptions,
  signal: AbortSignal,
): Promise<QmpConnection> {
  const deadline = AbortSignal.timeout(options.timeoutMs);
  const limit = AbortSignal.any([signal, deadline]);
  try {
    const socket = await openSocket(socketPath, limit);
    const connection = new QmpConnection(socket, options.onEvent);
    try {
      await connection.handshake(limit);
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  } catch (error) {
    if (deadline.aborted && !signal.aborted) {
      const message = `QEMU did not answer on its control socket within ${options.timeoutMs} ms.`;
      throw new QmpError('timeout', message, error);
    }
    throw error;
  }
}

async function openSocket(socketPath: string, limit: AbortSignal): Promise<Socket> {
  for (;;) {
    limit.throwIfAborted();
    const socket = connect(socketPath);
    try {
      await settled(socket, limit);
      return socket;
    } catch (error) {
      socket.destroy();
      limit.throwIfAborted();
      if (!isNotThereYet(error)) throw new QmpError('connect', `Cannot connect to ${socketPath}.`, error);
    }
    await sleep(CONNECT_RETRY_MS, undefined, { signal: limit });
  }
}

function settled(socket: Socket, limit: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onAbort = (): void => reject(limit.reason as Error);
  limit.addEventListener('abort', onAbort, { once: true });
  socket.once('connect', resolve);
  socket.once('error', reject);
  return promise.finally(() => {
    limit.removeEventListener('abort', onAbort);
    socket.off('connect', resolve);
    socket.off('error', reject);
  });
}

/** Before `bind`, and between `bind` and `listen`. */
function isNotThereYet(error: unknown): boolean {
  return hasCode(error, 'ENOENT', 'ECONNREFUSED');
}

export class QmpConnection {
  /** Settles with the reason once the connection is gone, whoever ended it; never rejects. */
  readonly closed: Promise<QmpError>;
  readonly #socket: Socket;
  readonly #onEvent: (event: QmpEvent) => void;
  readonly #lines = new LineSplitter();
  readonly #pending = new Map<number, Pending>();
  readonly #greeted = Promise.withResolvers<void>();
  #nextId = 1;
  #ended: QmpError | undefined;

  constructor(socket: Socket, onEvent: (event: QmpEvent) => void) {
    this.#socket = socket;
    this.#onEvent = onEvent;
    const { promise, resolve } = Promise.withResolvers<QmpError>();
    this.closed = promise;
    socket.on('data', (chunk) => this.#receive(chunk));
    // A reset says no more than the `close` that follows it.
    socket.on('error', (error) => this.#end(new QmpError('closed', `The control connection broke: ${error.message}.`)));
    socket.on('close', () => {
      this.#end(new QmpError('closed', 'QEMU closed its control connection.'));
      if (this.#ended) resolve(this.#ended);
    });
    // Whoever waits for the greeting learns it; nobody else must.
    this.#greeted.promise.catch(() => undefined);
  }

  /** Waits for the greeting and leaves the negotiation mode. */
  async handshake(limit: AbortSignal): Promise<void> {
    await orAborted(this.#greeted.promise, limit);
    await orAborted(this.#send('qmp_capabilities'), limit);
  }

  /**
   * @throws QmpError `refused` where QEMU answers with an error, `timeout` past the deadline, `closed` or `protocol`
   * where the connection ends first; the signal's reason where it is aborted.
   */
  async execute(
    command: string,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<unknown> {
    const deadline = AbortSignal.timeout(options.timeoutMs);
    const limit = options.signal ? AbortSignal.any([options.signal, deadline]) : deadline;
    try {
      return await orAborted(this.#send(command), limit);
    } catch (error) {
      if (!deadline.aborted || options.signal?.aborted || error instanceof QmpError) throw error;
      throw new QmpError('timeout', `QEMU did not answer ${command} within ${options.timeoutMs} ms.`, error);
    }
  }

  /** Lets go; QEMU waits for its next client. */
  close(): void {
    this.#end(new QmpError('closed', 'The control connection was let go.'));
  }

  #send(command: string): Promise<unknown> {
    if (this.#ended) return Promise.reject(this.#ended);
    const id = this.#nextId;
    this.#nextId += 1;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#pending.set(id, { resolve, reject });
    this.#socket.write(`${JSON.stringify({ execute: command, id })}\n`);
    return promise;
  }

  #receive(chunk: Buffer): void {
    try {
      for (const line of this.#lines.push(chunk)) {
        if (this.#ended) return;
        if (line.trim() !== '') this.#take(parseQmpMessage(line));
      }
    } catch (error) {
      if (!(error instanceof QmpError)) throw error;
      this.#end(error);
    }
  }

  #take(message: QmpMessage): void {
    if (message.kind === 'greeting') {
      this.#greeted.resolve();
      return;
    }
    if (message.kind === 'event') {
      this.#onEvent(message.event);
      return;
    }
    // An answer that comes after its deadline has nobody left to take it.
    const pending = typeof message.id === 'number' ? this.#pending.get(message.id) : undefined;
    if (typeof message.id === 'number') this.#pending.delete(message.id);
    if (message.kind === 'return') pending?.resolve(message.value);
    else pending?.reject(new QmpError('refused', `QEMU refused: ${message.description}`));
  }

  #end(reason: QmpError): void {
    if (this.#ended) return;
    this.#ended = reason;
    this.#greeted.reject(reason);
    for (const { reject } of this.#pending.values()) reject(reason);
    this.#pending.clear();
    this.#socket.destroy();
  }
}

/** The signal's reason as soon as it is aborted, whatever becomes of the work. */
function orAborted<T>(work: Promise<T>, limit: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(limit.reason as Error);
  if (limit.aborted) onAbort();
  limit.addEventListener('abort', onAbort, { once: true });
  return Promise.race([work, promise]).finally(() => limit.removeEventListener('abort', onAbort));
}
