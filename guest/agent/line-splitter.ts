const NEWLINE = 0x0a;
const FIRST_CAPACITY_BYTES = 512;

/** Cuts a stream of bytes into lines. A line longer than allowed is skipped up to its end, without being kept. */
export class LineSplitter {
  readonly #maxBytes: number;
  /** The beginning of a line whose end has not come. */
  #held = new Uint8Array(FIRST_CAPACITY_BYTES);
  #heldBytes = 0;
  #skipping = false;

  /** @param maxBytes of a line, its newline included. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** @param onLine gets each line without its newline; the bytes are its own only until it returns. */
  push(chunk: Uint8Array, onLine: (line: Uint8Array) => void): void {
    let from = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, from);
      if (end === -1) break;
      this.#end(chunk.subarray(from, end), onLine);
      from = end + 1;
    }
    if (from < chunk.length && !this.#skipping) this.#hold(chunk.subarray(from));
  }

  /** Forgets the beginning of a line: its end will never come. */
  reset(): void {
    this.#heldBytes = 0;
    this.#skipping = false;
    this.#shrink();
  }

  #end(rest: Uint8Array, onLine: (line: Uint8Array) => void): void {
    const whole = this.#heldBytes === 0;
    if (!whole && !this.#skipping) this.#hold(rest);
    const skipped = this.#skipping || (whole && rest.length >= this.#maxBytes);
    const line = whole ? rest : this.#held.subarray(0, this.#heldBytes);
    this.#heldBytes = 0;
    this.#skipping = false;
    if (!skipped) onLine(line);
    this.#shrink();
  }

  #hold(bytes: Uint8Array): void {
    const length = this.#heldBytes + bytes.length;
    if (length >= this.#maxBytes) {
      this.#heldBytes = 0;
      this.#skipping = true;
      this.#shrink();
      return;
    }
    if (length > this.#held.length) {
      const larger = new Uint8Array(Math.min(this.#maxBytes, Math.max(length, this.#held.length * 2)));
      larger.set(this.#held.subarray(0, this.#heldBytes));
      this.#held = larger;
    }
    this.#held.set(bytes, this.#heldBytes);
    this.#heldBytes = length;
  }

  /** Long lines are rare: what one took is given back. */
  #shrink(): void {
    if (this.#held.length > FIRST_CAPACITY_BYTES) this.#held = new Uint8Array(FIRST_CAPACITY_BYTES);
  }
}
