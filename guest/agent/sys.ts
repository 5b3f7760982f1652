/** What the agent needs of the machine. quickjs-sys.ts has it from Linux; tests have a machine of their own. */

/** One end of a byte stream that never makes the agent wait. */
export interface Stream {
  /**
   * Reads what is there.
   *
   * @returns how many bytes; 0 where there is nothing now, `'away'` where there is nobody at the other end.
   */
  read(into: Uint8Array): number | 'away';
  /** @returns how many bytes were taken; 0 where there is no room now, `'away'` where nobody takes them any more. */
  write(bytes: Uint8Array): number | 'away';
  /** Calls back whenever `read` would give something; undefined ends that. */
  onReadable(callback: (() => void) | undefined): void;
  /** Calls back whenever `write` would take something; undefined ends that. */
  onWritable(callback: (() => void) | undefined): void;
  close(): void;
}

/** A virtio-serial port: one stream for all hosts that come and go. */
export interface Port extends Stream {
  /**
   * Calls back after each change at the other end, since one before this call; undefined ends that. Costs nothing
   * while nothing happens, which `onReadable` cannot offer: a port without a host counts as readable.
   */
  onChange(callback: (() => void) | undefined): void;
}

export interface RunResult {
  /** 0 to 255; -N where signal N ended it. */
  readonly exitStatus: number;
  /** Its last words on stderr. */
  readonly stderr: string;
}

export interface Sys {
  /** Since boot, time asleep included, `ms`. */
  bootTimeMs(): number;
  /** Processor time that the agent has used, `ms` with a fraction. */
  cpuTimeMs(): number;
  /** Calls back once. @returns what takes it back. */
  after(delayMs: number, callback: () => void): () => void;
  log(line: string): void;
  /** Frees what refers to itself in a circle, which otherwise waits until much has come together. */
  collectGarbage(): void;

  /** The text of a file, as far as `maxBytes` go; undefined where it cannot be read. */
  readText(path: string, maxBytes?: number): string | undefined;
  /** Names in a folder; none where it cannot be read. */
  listDir(path: string, maxNames?: number): readonly string[];
  /** Where a link leads; undefined where it is none. */
  readLink(path: string): string | undefined;
  /** Puts a new file in the place of what is there, 0644. @throws SysError */
  replaceFile(path: string, text: string): void;
  statFs(path: string): { readonly totalBytes: number; readonly availableBytes: number } | undefined;

  encode(text: string): Uint8Array;
  /** What is no UTF-8 is replaced. */
  decode(bytes: Uint8Array): string;

  /** @throws SysError */
  setClock(epochMs: number): void;
  /** The kernel's. @throws SysError */
  setHostname(name: string): void;
  /** Writes every dirty page; settles when that is done. */
  sync(): Promise<void>;
  /** Powers off at once, without a word to any program. @throws SysError */
  powerOff(): void;
  /** Resets the machine at once, without a word to any program. @throws SysError */
  restart(): void;
  /**
   * Runs a program to its end; past its deadline it is killed.
   *
   * @throws SysError where it cannot be started. A program that is missing ends with status 127.
   */
  run(argv: readonly string[], options: { readonly input: string; readonly deadlineMs: number }): Promise<RunResult>;

  /** @throws SysError where it is there and cannot be opened. @returns undefined where there is none. */
  openPort(path: string): Port | undefined;
  /** Listens for the host alone. @throws SysError */
  listenVsock(port: number, onConnection: (stream: Stream) => void): void;
  /** @throws SysError */
  listenUnix(path: string, onConnection: (stream: Stream) => void): void;
}

/** A call to the system that failed. */
export class SysError extends Error {
  override readonly name = 'SysError';
}
