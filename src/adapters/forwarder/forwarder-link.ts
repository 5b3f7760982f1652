import { once } from 'node:events';
import { constants } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { forwarderReportSchema } from '../../contracts/forwarder-report.ts';
import type { ForwardingOrder } from '../../contracts/forwarding.ts';
import { AppError, describe } from '../../core/app-error.ts';
import { orAborted } from '../../core/operations/or-aborted.ts';
import type { Forwarder, ForwarderState } from '../../core/publishing/ports.ts';
import { hasCode } from '../../host/error-code.ts';
import { linesOf } from '../../host/line-stream.ts';
import { fitsSocket, type Paths } from '../../host/paths.ts';

/** From the opening of the gate to the forwarder's connection: a Node has to start, on a busy machine. */
const WAKE_TIMEOUT_MS = 15_000;
/** A gate that was opened while nobody had come back to it yet was opened in vain. */
const RING_AGAIN_MS = 200;
/** A fault for each port of each VM has room in it. */
const MAX_REPORT_BYTES = 2 ** 20;

export interface ForwarderLinkOptions {
  readonly paths: Pick<Paths, 'forwarderSocket' | 'forwarderGate' | 'forwarderSpareGate' | 'forwarderLog'>;
  readonly log: (message: string, facts: Record<string, unknown>) => void;
  readonly wakeTimeoutMs?: number;
}

/** The daemon's end: wakes the forwarder at its gate, hears it at a socket, and wakes the one in reserve where it crashes. */
export class ForwarderLink implements Forwarder {
  readonly #options: ForwarderLinkOptions;
  /** Of forwarders that are left; the first one's is the one that is opened. */
  readonly #gates: string[];
  readonly #closed = new AbortController();
  #state: ForwarderState = { kind: 'resting' };
  #changed = Promise.withResolvers<void>();
  #order: ForwardingOrder | undefined;
  #server: Promise<Server> | undefined;
  #connection: Socket | undefined;
  #isWaking = false;

  constructor(options: ForwarderLinkOptions) {
    this.#options = options;
    this.#gates = [options.paths.forwarderGate, options.paths.forwarderSpareGate];
  }

  get state(): ForwarderState {
    return this.#state;
  }

  order(order: ForwardingOrder): void {
    if (this.#state.kind === 'gone') return;
    this.#order = order;
    if (this.#connection) this.#send(this.#connection);
    else void this.#wake();
  }

  rest(): void {
    this.#order = undefined;
    this.#connection?.destroy();
    this.#connection = undefined;
    if (this.#state.kind !== 'gone') this.#become({ kind: 'resting' });
  }

  async reported(revision: number, signal: AbortSignal): Promise<void> {
    for (;;) {
      if (this.#state.kind === 'gone') return;
      if (this.#state.kind === 'reporting' && this.#state.report.revision >= revision) return;
      await orAborted(this.#changed.promise, signal);
    }
  }

  close(): void {
    this.#closed.abort();
    this.rest();
    void this.#server?.then((server) => server.close());
  }

  #become(state: ForwarderState): void {
    this.#state = state;
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }

  async #wake(): Promise<void> {
    if (this.#isWaking) return;
    this.#isWaking = true;
    try {
      this.#become({ kind: 'waking' });
      this.#server ??= this.#listen();
      await this.#server;
      let deadline = performance.now() + (this.#options.wakeTimeoutMs ?? WAKE_TIMEOUT_MS);
      while (this.#order && !this.#connection && !this.#closed.signal.aborted) {
        const [gate] = this.#gates;
        if (gate === undefined) throw new AppError('INTERNAL', 'The forwarder has crashed, and so has its substitute.');
        await openGate(gate);
        await Promise.race([this.#changed.promise, delay(RING_AGAIN_MS)]);
        if (performance.now() < deadline) continue;
        this.#lose('it does not come when it is called');
        deadline = performance.now() + (this.#options.wakeTimeoutMs ?? WAKE_TIMEOUT_MS);
      }
    } catch (error) {
      const reason = describe(error);
      this.#options.log('Nothing of the guests is published on the host', { reason });
      this.#become({ kind: 'gone', reason });
    } finally {
      this.#isWaking = false;
    }
  }

  async #listen(): Promise<Server> {
    const { forwarderSocket } = this.#options.paths;
    if (!fitsSocket(forwarderSocket)) throw new AppError('PATH_TOO_LONG', `No socket fits at ${forwarderSocket}.`);
    // Left by a daemon that crashed. The folder is ours alone, and so is the lock.
    await rm(forwarderSocket, { force: true });
    const server = createServer((socket) => void this.#hear(socket));
    const listening = once(server, 'listening');
    // `listen` binds before it returns: the socket never has another mode.
    const umask = process.umask(0o177);
    try {
      server.listen(forwarderSocket);
    } finally {
      process.umask(umask);
    }
    await listening;
    return server;
  }

  /** One that is not needed, or is one too many, goes back to its gate. */
  async #hear(socket: Socket): Promise<void> {
    socket.on('error', () => socket.destroy());
    if (!this.#order || this.#connection) {
      socket.destroy();
      return;
    }
    this.#connection = socket;
    this.#send(socket);
    try {
      for await (const line of linesOf(socket, MAX_REPORT_BYTES)) {
        const report = forwarderReportSchema.parse(JSON.parse(line));
        if (this.#connection === socket) this.#become({ kind: 'reporting', report });
      }
    } catch (error) {
      if (this.#connection === socket) this.#options.log('The forwarder is not understood', { error: describe(error) });
    }
    socket.destroy();
    if (this.#connection !== socket) return;
    this.#connection = undefined;
    this.#lose('it has ended');
    void this.#wake();
  }

  /** The newest order alone: where the forwarder has not read the last one yet, once it has. */
  #send(socket: Socket): void {
    if (socket.writableNeedDrain || socket.destroyed) return;
    if (socket.write(`${JSON.stringify(this.#order)}\n`)) return;
    const sent = this.#order;
    socket.once('drain', () => {
      if (this.#order && this.#order !== sent) this.#send(socket);
    });
  }

  #lose(why: string): void {
    this.#gates.shift();
    const { forwarderLog: logPath } = this.#options.paths;
    this.#options.log('The forwarder is given up', { why, logPath, left: this.#gates.length });
  }
}

/** Wakes who waits there; does nothing where nobody does. */
async function openGate(path: string): Promise<void> {
  try {
    const gate = await open(path, constants.O_WRONLY | constants.O_NONBLOCK);
    await gate.close();
  } catch (error) {
    // fifo(7): a FIFO that nobody reads is not opened for writing.
    if (!hasCode(error, 'ENXIO', 'ENOENT')) throw error;
  }
}
