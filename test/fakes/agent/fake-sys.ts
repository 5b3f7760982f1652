import { type Port, type RunResult, type Stream, type Sys, SysError } from '../../../guest/agent/sys.ts';
import { FakeStream } from './fake-stream.ts';

interface Timer {
  readonly atMs: number;
  readonly callback: () => void;
}

export const BOOT_ID = '7d1f0d4e-6b0a-4c3b-9a53-0f2f6f1f2a11';

/** A machine in memory, with a clock that the test moves. */
export class FakeSys implements Sys {
  nowMs = 1_000;
  /** Processor time that each call of `cpuTimeMs` adds. */
  costMs = 0;
  readonly files = new Map<string, string>([['/proc/sys/kernel/random/boot_id', `${BOOT_ID}\n`]]);
  readonly links = new Map<string, string>();
  readonly filesystems = new Map<string, { totalBytes: number; availableBytes: number }>();
  readonly ports = new Map<string, FakeStream>();
  /** What was done, in words. */
  readonly calls: string[] = [];
  /** Paths in the order they were read. */
  reads: string[] = [];
  /** A call that fails: its name. */
  failing: string | undefined;
  /** What the next program ends with. */
  result: RunResult = { exitStatus: 0, stderr: '' };
  #cpuMs = 0;
  #timers: Timer[] = [];
  #onVsock: ((stream: Stream) => void) | undefined;
  #syncs: (() => void)[] = [];

  /** Lets time pass: timers fire in their order, promises settle between them. */
  async pass(durationMs: number): Promise<void> {
    const untilMs = this.nowMs + durationMs;
    await settle();
    for (;;) {
      const next = this.#timers.toSorted((one, other) => one.atMs - other.atMs)[0];
      if (!next || next.atMs > untilMs) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.callback();
      await settle();
    }
    this.nowMs = untilMs;
  }

  /** When timers are due, from now, `ms`. */
  get pending(): readonly number[] {
    return this.#timers.map(({ atMs }) => atMs - this.nowMs);
  }

  /** A host connects over vsock. */
  connectVsock(): FakeStream {
    const stream = new FakeStream();
    this.#onVsock?.(stream);
    return stream;
  }

  get listensOnVsock(): boolean {
    return this.#onVsock !== undefined;
  }

  /** Ends the syncs that wait. */
  finishSyncs(): void {
    for (const finish of this.#syncs.splice(0)) finish();
  }

  bootTimeMs(): number {
    return this.nowMs;
  }

  cpuTimeMs(): number {
    this.#cpuMs += this.costMs;
    return this.#cpuMs;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { atMs: this.nowMs + delayMs, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  log(line: string): void {
    this.calls.push(`log ${line}`);
  }

  collectGarbage(): void {
    this.calls.push('collect');
  }

  readText(path: string, maxBytes = 64 * 1024): string | undefined {
    this.reads.push(path);
    return this.files.get(path)?.slice(0, maxBytes);
  }

  listDir(path: string, maxNames = 1024): readonly string[] {
    const below = [...this.files.keys(), ...this.links.keys()].filter((name) => name.startsWith(`${path}/`));
    return [...new Set(below.map((name) => name.slice(path.length + 1).split('/', 1)[0] ?? ''))].slice(0, maxNames);
  }

  readLink(path: string): string | undefined {
    this.reads.push(path);
    return this.links.get(path);
  }

  replaceFile(path: string, text: string): void {
    this.#act(`write ${path}`);
    this.files.set(path, text);
  }

  statFs(path: string): { totalBytes: number; availableBytes: number } | undefined {
    return this.filesystems.get(path);
  }

  encode(text: string): Uint8Array {
    return Buffer.from(text);
  }

  decode(bytes: Uint8Array): string {
    return Buffer.from(bytes).toString('utf8');
  }

  setClock(epochMs: number): void {
    this.#act(`setClock ${epochMs}`);
  }

  setHostname(name: string): void {
    this.#act(`setHostname ${name}`);
  }

  sync(): Promise<void> {
    this.#act('sync');
    return new Promise((resolve) => {
      this.#syncs.push(resolve);
    });
  }

  powerOff(): void {
    this.#act('powerOff');
  }

  restart(): void {
    this.#act('restart');
  }

  async run(argv: readonly string[], { input }: { readonly input: string }): Promise<RunResult> {
    this.#act(`run ${argv.join(' ')}${input === '' ? '' : ` <<< ${input}`}`);
    return this.result;
  }

  openPort(path: string): Port | undefined {
    this.#act(`open ${path}`);
    return this.ports.get(path);
  }

  listenVsock(port: number, onConnection: (stream: Stream) => void): void {
    this.#act(`listen vsock ${port}`);
    this.#onVsock = onConnection;
  }

  listenUnix(path: string, onConnection: (stream: Stream) => void): void {
    this.#act(`listen ${path}`);
    this.#onVsock = onConnection;
  }

  #act(call: string): void {
    this.calls.push(call);
    if (this.failing !== undefined && call.startsWith(this.failing)) throw new SysError(`${this.failing} failed`);
  }
}

/** Lets everything that waits for a promise go on. */
export async function settle(): Promise<void> {
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
}
