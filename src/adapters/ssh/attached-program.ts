import { PassThrough, type Readable } from 'node:stream';
import type { ClientChannel } from 'ssh2';
import { EXEC_SIGNALS, type ExecEnd, type ExecSignal, type TerminalSize } from '../../contracts/exec-stream.ts';
import { AppError } from '../../core/app-error.ts';
import type { GuestProgram } from '../../core/vms/guest-program.ts';
import { MarkerFilter } from './marker-filter.ts';

/** For more output of a program that has ended while another still holds its stdout. */
const DRAIN_WAIT_MS = 1_000;
/** From SIGHUP to SIGKILL where nobody is connected any more. */
const KILL_AFTER_MS = 5_000;
/** From SIGKILL until the channel is given up. */
const GIVE_UP_AFTER_MS = 5_000;

/** A program in a guest with its input and outputs as streams, which fill no more memory than the channel's window. */
export class AttachedProgram implements GuestProgram {
  readonly stdout: MarkerFilter;
  readonly stderr = new PassThrough();
  readonly ended: Promise<ExecEnd>;
  readonly #channel: ClientChannel;
  readonly #sendSignal: (signalNumber: number, processGroup: number) => void;
  readonly #closed = Promise.withResolvers<void>();
  #pid: number | undefined;
  #pending: ExecSignal[] = [];
  #end: ExecEnd | undefined;
  #hasClosed = false;
  #drain: NodeJS.Timeout | undefined;

  /**
   * @param channel has just been opened: the end of a quick program comes in the same packet.
   * @param options.sendSignal sends a signal by another channel: sshd takes none on root's own.
   */
  constructor(
    channel: ClientChannel,
    options: {
      readonly marker: string;
      readonly sendSignal: (signalNumber: number, processGroup: number) => void;
    },
  ) {
    this.#channel = channel;
    this.#sendSignal = options.sendSignal;
    this.stdout = new MarkerFilter(options.marker, (pid) => this.#begin(pid));
    channel.on('error', () => undefined);
    channel.on('exit', (code: number | null, signalName?: string) => {
      this.#end = code === null ? { signal: plainSignal(signalName) } : { exitStatus: code };
      this.#drain = setTimeout(() => this.#giveUpOutput(), DRAIN_WAIT_MS);
    });
    for (const stream of [channel, channel.stderr]) stream.on('data', () => this.#drain?.refresh());
    channel.pipe(this.stdout);
    channel.stderr.pipe(this.stderr);
    // The one says nothing about the other: either may have bytes that nobody has read yet.
    void Promise.all([closeOf(channel), closeOf(channel.stderr)]).then(() => this.#close());
    this.ended = this.#closed.promise.then(() => {
      if (this.#end) return this.#end;
      throw new AppError('GUEST_UNREACHABLE', 'The connection to the guest was lost while the command ran.');
    });
    // Whoever lets go of it does not wait for it.
    this.ended.catch(() => undefined);
  }

  /** Bytes that have come from the guest and nobody has read. */
  get unreadBytes(): number {
    return this.#channel.readableLength + this.#channel.stderr.readableLength;
  }

  write(data: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      if (this.#hasClosed || !this.#channel.writable) resolve();
      else this.#channel.write(data, () => resolve());
    });
  }

  endInput(): void {
    this.#channel.end();
  }

  resize({ columns, rows }: TerminalSize): void {
    this.#channel.setWindow(rows, columns, 0, 0);
  }

  signal(signal: ExecSignal): void {
    if (this.#end || this.#hasClosed) return;
    if (this.#pid === undefined) this.#pending.push(signal);
    else this.#sendSignal(EXEC_SIGNALS[signal], this.#pid);
  }

  async end(): Promise<void> {
    // What it still says is for nobody, and must not keep it.
    this.#letGoOfOutput();
    this.signal('HUP');
    await this.#closesWithin(KILL_AFTER_MS);
    this.signal('KILL');
    await this.#closesWithin(GIVE_UP_AFTER_MS);
    this.#channel.destroy();
    this.#close();
  }

  #begin(pid: number): void {
    this.#pid = pid;
    for (const signal of this.#pending.splice(0)) this.signal(signal);
  }

  /** The program has ended. Another that it has started may hold its stdout for ever. */
  #giveUpOutput(): void {
    const isRead = this.unreadBytes === 0 && this.stdout.readableLength === 0 && this.stderr.readableLength === 0;
    if (!isRead) {
      this.#drain = setTimeout(() => this.#giveUpOutput(), DRAIN_WAIT_MS);
      return;
    }
    this.#letGoOfOutput();
    this.#channel.destroy();
    this.#close();
  }

  #letGoOfOutput(): void {
    for (const stream of [this.#channel, this.#channel.stderr]) {
      stream.unpipe();
      stream.resume();
    }
  }

  #close(): void {
    if (this.#hasClosed) return;
    this.#hasClosed = true;
    clearTimeout(this.#drain);
    this.stdout.end();
    this.stderr.end();
    this.#closed.resolve();
  }

  async #closesWithin(timeoutMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, timeoutMs);
    await Promise.race([this.#closed.promise, promise]);
    clearTimeout(timer);
  }
}

function closeOf(stream: Readable): Promise<void> {
  return new Promise((resolve) => void stream.once('close', resolve));
}

/** `TERM`; the guest may have called it anything. */
function plainSignal(name = ''): string {
  return /^(?:SIG)?([A-Z0-9]{2,10})$/.exec(name)?.[1] ?? 'KILL';
}
