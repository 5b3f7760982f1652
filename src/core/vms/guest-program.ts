/** Programs that a guest runs for somebody who is connected to it; what `GuestSession.open` gives. */
import type { ExecEnd, ExecSignal, TerminalSize } from '../../contracts/exec-stream.ts';

export interface GuestProgramSpec {
  /** One word is text for the shell of the guest's root; several are a program and its arguments. */
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** `required`: where the folder is not there the command does not run; else it runs in the user's home. */
  readonly workdir?: { readonly path: string; readonly required: boolean } | undefined;
  /** Left out: root. */
  readonly user?: string | undefined;
  readonly terminal?: (TerminalSize & { readonly type: string }) | undefined;
}

/** Both outputs have to be read, to their end: what is not read is not taken from the guest. */
export interface GuestProgram {
  readonly stdout: AsyncIterable<Buffer>;
  readonly stderr: AsyncIterable<Buffer>;
  /**
   * Settles once the program has ended and its output was read.
   *
   * @throws AppError GUEST_UNREACHABLE where the guest went without saying how it ended.
   */
  readonly ended: Promise<ExecEnd>;
  /** Settles when the guest has taken it; a program that reads no more lets it wait. */
  write(data: Uint8Array): Promise<void>;
  endInput(): void;
  resize(size: TerminalSize): void;
  /** Sends a signal to its process group. A guest that does not answer is not waited for. */
  signal(signal: ExecSignal): void;
  /** Ends it, politely at first, and lets go of it; its outputs end. Settles when that is done, in bounded time. */
  end(): Promise<void>;
}
