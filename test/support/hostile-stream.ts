import { Duplex } from 'node:stream';

/** A hostile agent does as its script says: bytes, or a pause until the host has written something. */
export type HostileScript = Iterator<Buffer | 'wait', 'end' | 'break' | 'stall', undefined>;

/** A stream to a guest that sends what a script gives, as fast as it is read, and keeps count of what was read. */
export class HostileStream extends Duplex {
  /** What the host's hello bore; '' before it. */
  session = '';
  /** Numbers of every request so far. */
  readonly ids: number[] = [];
  /** It will send nothing more and does not end. */
  isStalled = false;
  /** Newlines that were read while somebody listened. */
  readFrames = 0;
  #script: HostileScript | undefined;
  #givenFrames = 0;
  #isWaiting = false;

  constructor() {
    super({ readableHighWaterMark: 1 });
  }

  perform(script: HostileScript): void {
    this.#script = script;
  }

  override _read(): void {
    // Whoever asks for more has had what was given before; what is given last is not counted.
    this.readFrames += this.#givenFrames;
    this.#givenFrames = 0;
    this.#goOn();
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    const text = chunk.toString('utf8');
    this.session = /"session":"([0-9a-f]+)"/.exec(text)?.[1] ?? this.session;
    const id = /"type":"request","id":(\d+)/.exec(text)?.[1];
    if (id !== undefined) this.ids.push(Number(id));
    done();
    if (this.#isWaiting) this.#goOn();
  }

  #goOn(): void {
    this.#isWaiting = false;
    const step = this.#script?.next();
    if (step === undefined || step.done) {
      this.#finish(step?.value ?? 'stall');
    } else if (step.value === 'wait') {
      this.#isWaiting = true;
    } else {
      for (const byte of step.value) if (byte === 0x0a) this.#givenFrames += 1;
      this.push(step.value);
    }
  }

  #finish(how: 'end' | 'break' | 'stall'): void {
    if (how === 'end') this.push(null);
    else if (how === 'break') this.destroy(new Error('reset'));
    else this.isStalled = true;
  }
}
