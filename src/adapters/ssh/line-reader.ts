/** Cuts a program's output into lines, with a bound on everything a hostile guest could make large. */
import { StringDecoder } from 'node:string_decoder';

/** Characters of one line; the rest of a longer one is dropped. */
export const MAX_LINE_LENGTH = 8 * 1024;
/** Lines that are kept for an error's details. */
const TAIL_LINES = 40;
/** Characters that are handed on from one command; what follows is only kept as its tail. */
const MAX_FORWARDED_LENGTH = 16 * 2 ** 20;

/** One stream's lines; `\r` begins a line anew, as on a terminal, so that progress bars leave their last state. */
export class LineReader {
  readonly #decoder = new StringDecoder('utf8');
  readonly #onLine: (line: string) => void;
  #line = '';
  #cut = false;

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  push(chunk: Buffer): void {
    const pieces = this.#decoder.write(chunk).split('\n');
    for (const [index, piece] of pieces.entries()) {
      if (index > 0) this.#emit();
      this.#append(piece);
    }
  }

  /** Hands on a last line that has no newline. */
  end(): void {
    this.#append(this.#decoder.end());
    if (this.#line !== '' || this.#cut) this.#emit();
  }

  #append(piece: string): void {
    // A return at the very end may belong to the newline that comes with the next piece.
    const restart = piece.slice(0, -1).lastIndexOf('\r');
    if (restart >= 0 || (this.#line.endsWith('\r') && piece !== '')) {
      this.#line = '';
      this.#cut = false;
    }
    const text = piece.slice(restart + 1);
    const room = MAX_LINE_LENGTH - this.#line.length;
    this.#line += text.slice(0, room);
    if (text.length > room) this.#cut = true;
  }

  #emit(): void {
    const line = this.#line.endsWith('\r') ? this.#line.slice(0, -1) : this.#line;
    this.#onLine(this.#cut ? `${line} [...]` : line);
    this.#line = '';
    this.#cut = false;
  }
}

/** The last lines of a command's output; hands each on until there were too many. */
export class OutputTail {
  readonly #onLine: ((line: string) => void) | undefined;
  readonly #lines: string[] = [];
  #forwarded = 0;

  constructor(onLine: ((line: string) => void) | undefined) {
    this.#onLine = onLine;
  }

  get lines(): readonly string[] {
    return this.#lines;
  }

  add(line: string): void {
    this.#lines.push(line);
    if (this.#lines.length > TAIL_LINES) this.#lines.shift();
    if (this.#forwarded > MAX_FORWARDED_LENGTH) return;
    this.#forwarded += line.length + 1;
    this.#onLine?.(this.#forwarded > MAX_FORWARDED_LENGTH ? '[output beyond 16 MiB is not logged]' : line);
  }
}
