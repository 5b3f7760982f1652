/** native.c. Calls that give a number give -errno where they fail. */
declare module 'qjs:native' {
  /** Our own. */
  export function pid(): number;
  /** Since boot, time asleep included, `ms`. */
  export function bootTimeMs(): number;
  /** Processor time that the agent has used, `ms` with a fraction. */
  export function cpuTimeMs(): number;
  /** A file's text up to a limit (64 KiB at most), what is no UTF-8 replaced; null where it cannot be read. */
  export function readText(path: string, maxBytes: number): string | null;
  /** Names in a folder, hidden ones left out, in no order; none where it cannot be read. */
  export function listDir(path: string, maxNames: number): string[];
  /** Of the filesystem at a path; null where there is none. */
  export function statFs(path: string): [totalBytes: number, availableBytes: number] | null;
  /** In UTF-8. */
  export function encode(text: string): ArrayBuffer;
  export function decode(buffer: ArrayBufferLike, offset: number, length: number): string;
  /** On every address of this machine. */
  export function listenVsock(port: number): number;
  /** The socket's file is for its owner alone. */
  export function listenUnix(path: string): number;
  /** The peer's vsock address; -1 for a unix socket. */
  export function accept(listener: number): [fd: number, cid: number];
  /**
   * A file that is readable from each change of `fd` on (epoll, edge-triggered) until `takeEdges`: the way to wait for
   * something that select() never lets wait.
   */
  export function watchEdges(fd: number): number;
  export function takeEdges(watch: number): number;
  export function setClock(epochMs: number): number;
  export function setHostname(name: string): number;
  /** Starts a process that runs sync(2) and ends. */
  export function startSync(): number;
  /** sync(2), then the machine is off, whatever runs in it. */
  export function powerOff(): number;
  /** sync(2), then the machine is reset. */
  export function restart(): number;
}
