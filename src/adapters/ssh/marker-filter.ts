import { Transform, type TransformCallback } from 'node:stream';

/** Of what a shell's own start-up files may say before the marker; what is longer goes on without it. */
const MAX_SEARCHED_BYTES = 64 * 1024;

/** Takes the line `MARKER PID` out of a program's output and leaves every other byte as it is. */
export class MarkerFilter extends Transform {
  readonly #marker: Buffer;
  readonly #onPid: (pid: number) => void;
  #held: Buffer | undefined = Buffer.alloc(0);

  constructor(marker: string, onPid: (pid: number) => void) {
    super();
    this.#marker = Buffer.from(marker);
    this.#onPid = onPid;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    if (!this.#held) {
      done(null, chunk);
      return;
    }
    this.#held = Buffer.concat([this.#held, chunk]);
    const at = this.#held.indexOf(this.#marker);
    // On a terminal a line ends with a return too.
    const rest = at < 0 ? undefined : this.#held.toString('latin1', at + this.#marker.length, at + 64);
    const [line, pid] = /^ (\d{1,10})\r?\n/.exec(rest ?? '') ?? [];
    if (line !== undefined) {
      this.#onPid(Number(pid));
      const before = this.#held.subarray(0, at);
      const after = this.#held.subarray(at + this.#marker.length + line.length);
      this.#held = undefined;
      if (before.length > 0) this.push(before);
      done(null, after.length > 0 ? after : undefined);
    } else if (this.#held.length > MAX_SEARCHED_BYTES) this.#giveUp(done);
    else done();
  }

  override _flush(done: TransformCallback): void {
    this.#giveUp(done);
  }

  #giveUp(done: TransformCallback): void {
    const held = this.#held;
    this.#held = undefined;
    done(null, held && held.length > 0 ? held : undefined);
  }
}
