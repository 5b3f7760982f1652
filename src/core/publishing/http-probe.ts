import type { Duplex } from 'node:stream';
import { orAborted } from '../operations/or-aborted.ts';

/** Opens a TCP connection to a guest. @throws AppError GUEST_UNREACHABLE; the signal's reason. */
export type Dial = (address: string, port: number, signal: AbortSignal) => Promise<Duplex>;

export interface ProbeTarget {
  readonly address: string;
  readonly port: number;
  /** What the server is told that it is called. */
  readonly hostName: string;
  /** Who has the port open: another process is asked anew. */
  readonly pid: number | undefined;
}

/** At once, over all guests. */
const MAX_PROBES = 8;
/** A guest in software takes its time. */
const ANSWER_TIMEOUT_MS = 2_000;
/** How long an answer is remembered. */
const REMEMBERED_MS = 15_000;
/** `HTTP/1.1 200`: more is never looked at. */
const STATUS_BYTES = 12;

/** Finds out behind which of a guest's ports an HTTP server answers. What a guest answers is bounded in time and bytes. */
export class HttpProbe {
  readonly #dial: Dial;
  readonly #known = new Map<string, { readonly isHttp: boolean; readonly until: number }>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(dial: Dial) {
    this.#dial = dial;
  }

  /** False where nothing answers in time, or what answers is no HTTP. @throws the signal's reason. */
  async answers(target: ProbeTarget, signal: AbortSignal): Promise<boolean> {
    const key = `${target.hostName} ${target.port} ${target.pid ?? ''}`;
    this.#dropOld();
    const known = this.#known.get(key);
    if (known) return known.isHttp;
    await this.#begin(signal);
    try {
      const isHttp = await this.#ask(target, signal);
      this.#known.set(key, { isHttp, until: performance.now() + REMEMBERED_MS });
      return isHttp;
    } finally {
      this.#running -= 1;
      this.#waiting.shift()?.();
    }
  }

  async #begin(signal: AbortSignal): Promise<void> {
    while (this.#running >= MAX_PROBES) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.push(resolve);
      await promise;
    }
    // The turn is the next one's, where nobody waits for this answer any more.
    if (signal.aborted) this.#waiting.shift()?.();
    signal.throwIfAborted();
    this.#running += 1;
  }

  async #ask({ address, port, hostName }: ProbeTarget, signal: AbortSignal): Promise<boolean> {
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_TIMEOUT_MS)]);
    let stream: Duplex | undefined;
    try {
      stream = await this.#dial(address, port, deadline);
      stream.write(`HEAD / HTTP/1.1\r\nHost: ${hostName}:${port}\r\nUser-Agent: banger\r\nConnection: close\r\n\r\n`);
      return /^HTTP\/1\.[01] \d{3}/.test(await firstBytes(stream, deadline));
    } catch (error) {
      signal.throwIfAborted();
      // Refused, broken off or too late: whatever it is, no browser would get anything from it.
      if (error instanceof Error) return false;
      throw error;
    } finally {
      stream?.destroy();
    }
  }

  #dropOld(): void {
    const now = performance.now();
    for (const [key, { until }] of this.#known) if (until < now) this.#known.delete(key);
  }
}

async function firstBytes(stream: Duplex, signal: AbortSignal): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let text = '';
  stream.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1', 0, STATUS_BYTES);
    if (text.length >= STATUS_BYTES) resolve(text);
  });
  stream.on('close', () => resolve(text));
  stream.on('end', () => resolve(text));
  stream.on('error', reject);
  return orAborted(promise, signal);
}
