import { Duplex } from 'node:stream';

/** What a hostile agent sends, and what becomes of its stream then. */
export type HostileScript = Iterator<Buffer, 'end' | 'break' | 'stall', undefined>;

/** A stream to a guest that sends what a script gives, as fast as it is read, and keeps count of what was read. */
export class HostileStream extends Duplex {
  /** What the host's hello bore; '' before it. */
  session = '';
  /** Every request so far; a script may take out those it has answered. */
  readonly requests: { readonly id: number; readonly method: string }[] = [];
  /** It will send nothing more and does not end. */
  isStalled = false;
  /** Newlines that were read while somebody listened. */
  readFrames = 0;
  #script: HostileScript | undefined;
  #givenFrames = 0;

  constructor() {
    // As a socket: where the guest's end ends, so does ours.
    super({ readableHighWaterMark: 1, allowHalfOpen: false });
  }

  perform(script: HostileScript): void {
    this.#script = script;
  }

  override _read(): void {
    // Whoever asks for more has had what was given before; what is given last is not counted.
    this.readFrames += this.#givenFrames;
    this.#givenFrames = 0;
    const step = this.#script?.next();
    if (step && !step.done) {
      for (const byte of step.value) if (byte === 0x0a) this.#givenFrames += 1;
      this.push(step.value);
    } else {
      this.#finish(step?.value ?? 'stall');
    }
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    const text = chunk.toString('utf8');
    this.session = /"session":"([0-9a-f]+)"/.exec(text)?.[1] ?? this.session;
    const [, id, method] = /"type":"request","id":(\d+),"method":"(\w+)"/.exec(text) ?? [];
    if (method !== undefined) this.requests.push({ id: Number(id), method });
    done();
  }

  #finish(how: 'end' | 'break' | 'stall'): void {
    if (how === 'end') this.push(null);
    else if (how === 'break') this.destroy(new Error('reset'));
    else this.isStalled = true;
  }
}
