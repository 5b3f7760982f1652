import type { Stream } from './sys.ts';

/** Bytes on their way to a host that may be slow to read them. Never waits, never holds more than its limit. */
export class Outbox {
  readonly #stream: Stream;
  readonly #maxBytes: number;
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #whenEmpty: (() => void) | undefined;

  constructor(stream: Stream, maxBytes: number) {
    this.#stream = stream;
    this.#maxBytes = maxBytes;
  }

  /** @returns false where it did not fit: what was queued is still there. */
  push(bytes: Uint8Array): boolean {
    if (this.#queuedBytes + bytes.length > this.#maxBytes) return false;
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
    if (this.#queue.length === 1) this.#flush();
    return true;
  }

  /** Calls back as soon as nothing is queued, which may be at once. */
  whenEmpty(callback: () => void): void {
    if (this.#queue.length === 0) callback();
    else this.#whenEmpty = callback;
  }

  /** Forgets what was not sent. Half a frame may be out: the next begins after a newline. */
  clear(): void {
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#stream.onWritable(undefined);
    this.#emptied();
  }

  #flush(): void {
    for (;;) {
      const first = this.#queue[0];
      if (first === undefined) break;
      const taken = this.#stream.write(first);
      if (taken === 'away') return this.clear();
      this.#queuedBytes -= taken;
      if (taken < first.length) {
        this.#queue[0] = first.subarray(taken);
        this.#stream.onWritable(() => this.#flush());
        return;
      }
      this.#queue.shift();
    }
    this.#stream.onWritable(undefined);
    this.#emptied();
  }

  #emptied(): void {
    const callback = this.#whenEmpty;
    this.#whenEmpty = undefined;
    callback?.();
  }
}
