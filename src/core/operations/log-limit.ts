/** What one operation may write to its log, `bytes`; enough for a verbose build, too little to fill a disk. */
const MAX_LOG_BYTES = 16 * 2 ** 20;

/** Longest line that is kept whole, `bytes` of UTF-16: a progress bar that never sends a newline. */
const MAX_LINE_LENGTH = 8 * 2 ** 10;

/** Counts what an operation has logged, and lets no more than the bound through. */
export class LogLimit {
  #bytesLeft: number;

  constructor(maxBytes = MAX_LOG_BYTES) {
    this.#bytesLeft = maxBytes;
  }

  /** @returns the lines to write for `text`: none once the bound is reached, after one that says so. */
  admit(text: string): readonly string[] {
    if (this.#bytesLeft <= 0) return [];
    const lines: string[] = [];
    for (const line of text.split('\n')) {
      const kept = cut(line);
      // One more for its newline.
      this.#bytesLeft -= Buffer.byteLength(kept) + 1;
      if (this.#bytesLeft <= 0) {
        lines.push('[the log ends here: it has reached its largest size]');
        return lines;
      }
      lines.push(kept);
    }
    return lines;
  }
}

function cut(line: string): string {
  const dropped = line.length - MAX_LINE_LENGTH;
  return dropped > 0 ? `${line.slice(0, MAX_LINE_LENGTH)} [${dropped} more characters]` : line;
}
