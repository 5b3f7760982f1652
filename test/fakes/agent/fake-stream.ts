import type { Port } from '../../../guest/agent/sys.ts';

/** A stream, or a port, whose other end the test has in its hands. */
export class FakeStream implements Port {
  /** How many bytes it takes before it is full. */
  room = Number.POSITIVE_INFINITY;
  /** Nobody is at the other end. */
  away = false;
  closed = false;
  /** How often the agent has tried to read. */
  reads = 0;
  #input: Uint8Array[] = [];
  #output: Uint8Array[] = [];
  #onReadable: (() => void) | undefined;
  #onWritable: (() => void) | undefined;
  #onChange: (() => void) | undefined;
  #changed = false;

  read(into: Uint8Array): number | 'away' {
    this.reads += 1;
    const [first] = this.#input;
    if (!first) return this.away ? 'away' : 0;
    const part = first.subarray(0, into.length);
    into.set(part);
    this.#input[0] = first.subarray(part.length);
    if (this.#input[0].length === 0) this.#input.shift();
    return part.length;
  }

  write(bytes: Uint8Array): number | 'away' {
    if (this.away) return 'away';
    const part = bytes.slice(0, this.room);
    this.room -= part.length;
    if (part.length > 0) this.#output.push(part);
    return part.length;
  }

  onReadable(callback: (() => void) | undefined): void {
    this.#onReadable = callback;
    // As on a real machine, nobody is called back before he has done what he is at.
    queueMicrotask(() => this.#notify());
  }

  onWritable(callback: (() => void) | undefined): void {
    this.#onWritable = callback;
  }

  onChange(callback: (() => void) | undefined): void {
    this.#onChange = callback;
    if (this.#changed) this.#change();
  }

  close(): void {
    this.closed = true;
  }

  /** True while the agent waits for something to read. */
  get isListenedTo(): boolean {
    return this.#onReadable !== undefined;
  }

  /** True while the agent waits for a host to come. */
  get isWatched(): boolean {
    return this.#onChange !== undefined;
  }

  get waitsForRoom(): boolean {
    return this.#onWritable !== undefined;
  }

  /** Bytes from the host. */
  deliver(bytes: Uint8Array): void {
    this.#input.push(bytes);
    this.#notify();
  }

  say(message: unknown): void {
    this.deliver(Buffer.from(`${JSON.stringify(message)}\n`));
  }

  leave(): void {
    this.away = true;
    this.#notify();
    this.#change();
  }

  comeBack(): void {
    this.away = false;
    this.#change();
  }

  makeRoom(bytes: number): void {
    this.room = bytes;
    this.#onWritable?.();
  }

  /** Everything that was written since the last call. */
  taken(): string {
    const text = Buffer.concat(this.#output).toString('utf8');
    this.#output = [];
    return text;
  }

  /** The frames among it; broken ones are left out, as a host would. */
  frames(): unknown[] {
    return this.taken()
      .split('\n')
      .flatMap((line) => (line.startsWith('{') && line.endsWith('}') ? [JSON.parse(line) as unknown] : []));
  }

  #change(): void {
    this.#changed = this.#onChange === undefined;
    this.#onChange?.();
  }

  /** As select() would: again and again while there is something. */
  #notify(): void {
    while (this.#onReadable && (this.#input.length > 0 || this.away)) this.#onReadable();
  }
}
