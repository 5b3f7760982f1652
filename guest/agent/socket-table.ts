import { parseBoundSockets, parseInUse, type BoundSocket } from './proc/sockets.ts';
import type { Sys } from './sys.ts';

/** `inUse` and the name of the count in it: how many sockets the table has, told without walking through it. */
const TABLES = {
  tcp: { protocol: 'tcp', path: '/proc/net/tcp', countPath: '/proc/net/sockstat', countName: 'TCP' },
  tcp6: { protocol: 'tcp', path: '/proc/net/tcp6', countPath: '/proc/net/sockstat6', countName: 'TCP6' },
  udp: { protocol: 'udp', path: '/proc/net/udp', countPath: '/proc/net/sockstat', countName: 'UDP' },
  udp6: { protocol: 'udp', path: '/proc/net/udp6', countPath: '/proc/net/sockstat6', countName: 'UDP6' },
} as const;

export type TableName = keyof typeof TABLES;

/** About 430 sockets; those of TCP that listen stand before all others. */
const MAX_BYTES = 64 * 1024;

/**
 * One of the kernel's tables of sockets, looked at often and read seldom: to show that of TCP, the kernel walks through a
 * hash table that has its size from the machine's memory, which takes milliseconds where there is much.
 */
export class SocketTable {
  readonly #sys: Sys;
  readonly #table: (typeof TABLES)[TableName];
  readonly #rereadAfterMs: number;
  #text = '';
  #counts = '';
  #count = 0;
  #readAtMs = 0;

  /**
   * @param rereadAfterMs how long a table whose count has not changed counts as unchanged: a socket may have come in
   * the moment in which another went.
   */
  constructor(sys: Sys, name: TableName, rereadAfterMs: number) {
    this.#sys = sys;
    this.#table = TABLES[name];
    this.#rereadAfterMs = rereadAfterMs;
  }

  /** Makes the next look a thorough one. */
  forget(): void {
    this.#counts = '';
    this.#count = 0;
    this.#text = '';
  }

  /** @returns whether it differs from what it was at the last look, or may. */
  look(): boolean {
    const { path, countPath, countName } = this.#table;
    const now = this.#sys.bootTimeMs();
    const counts = this.#sys.readText(countPath) ?? '';
    const count = counts === this.#counts ? this.#count : parseInUse(counts, countName);
    this.#counts = counts;
    if (count === this.#count && (count === 0 || now - this.#readAtMs < this.#rereadAfterMs)) return false;
    this.#count = count;
    this.#readAtMs = now;
    const text = count === 0 ? '' : (this.#sys.readText(path, MAX_BYTES) ?? '');
    if (text === this.#text) return false;
    this.#text = text;
    return true;
  }

  get text(): string {
    return this.#text;
  }

  /** TCP sockets that listen, UDP sockets that are bound and connected to nothing. */
  sockets(): BoundSocket[] {
    return parseBoundSockets(this.#text, this.#table.protocol);
  }

  /** There are sockets that were not read, and they may be of those that `sockets` gives. */
  get isCut(): boolean {
    if (this.#text.length < MAX_BYTES) return false;
    const lastLine = this.#text.split('\n').at(-2) ?? '';
    return this.#table.protocol === 'udp' || parseBoundSockets(lastLine, 'tcp').length > 0;
  }
}
