/** What the agent uses of QuickJS's own modules (the manual's chapter "Standard library"). */

/** Arguments of the program, its own name first. */
declare const scriptArgs: readonly string[];

declare module 'qjs:std' {
  interface OutputFile {
    puts(text: string): void;
    flush(): void;
  }
  export const out: OutputFile;
  export const err: OutputFile;
  export function gc(): void;
  export function exit(status: number): never;
}

/** Calls that fail give -errno, alone or as the second of a pair. */
declare module 'qjs:os' {
  export interface Timer {
    readonly quickjsTimer: never;
  }
  export const SIGPIPE: number;
  export const WNOHANG: number;
  export const O_WRONLY: number;
  export const O_RDWR: number;
  export const O_CREAT: number;
  export const O_TRUNC: number;
  export function open(path: string, flags: number, mode?: number): number;
  export function close(fd: number): number;
  export function read(fd: number, buffer: ArrayBufferLike, offset: number, length: number): number;
  export function write(fd: number, buffer: ArrayBufferLike, offset: number, length: number): number;
  export function remove(path: string): number;
  export function rename(from: string, to: string): number;
  export function readlink(path: string): [target: string, error: number];
  /** One handler a file at most; null takes it away. */
  export function setReadHandler(fd: number, handler: (() => void) | null): void;
  export function setWriteHandler(fd: number, handler: (() => void) | null): void;
  /** Without a handler the signal is ignored. */
  export function signal(signal: number, handler: (() => void) | null | undefined): void;
  export function setTimeout(callback: () => void, delayMs: number): Timer;
  export function clearTimeout(timer: Timer): void;
  export function pipe(): [readEnd: number, writeEnd: number] | null;
  export function kill(pid: number, signal: number): number;
  /** In the program every file but the three that are named is closed. */
  export function exec(
    argv: readonly string[],
    options: {
      readonly block: false;
      readonly stdin: number;
      readonly stdout: number;
      readonly stderr: number;
      readonly env: Readonly<Record<string, string>>;
    },
  ): number;
  export function waitpid(pid: number, options: number): [pid: number, status: number];
}
