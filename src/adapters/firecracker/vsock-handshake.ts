import type { Duplex } from 'node:stream';

/** `OK`, a space, a number of ten digits, a line feed; Firecracker's own bound for such a line is 32. */
const MAX_ANSWER_BYTES = 32;
const NEWLINE = 0x0a;

export class VsockError extends Error {
  override readonly name = 'VsockError';
  /** `unanswered`: nobody accepts in the guest yet. `protocol`: what came is no answer. */
  readonly failure: 'unanswered' | 'protocol';

  constructor(failure: 'unanswered' | 'protocol', message: string) {
    super(message);
    this.failure = failure;
  }
}

/**
 * Reads `OK <port>` and its line feed, and not a byte more than that line may have: what follows is the guest's, and stays
 * in the stream.
 *
 * @throws VsockError where the connection ends, the deadline passes, or something else is said; the signal's reason.
 */
export async function readHandshake(
  stream: Duplex,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<void> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let answer = Buffer.alloc(0);
  const look = (): void => {
    for (let chunk = stream.read() as Buffer | null; chunk; chunk = stream.read() as Buffer | null) {
      answer = Buffer.concat([answer, chunk]);
      const end = answer.subarray(0, MAX_ANSWER_BYTES).indexOf(NEWLINE);
      if (end === -1 && answer.length < MAX_ANSWER_BYTES) continue;
      const line = end === -1 ? '' : answer.toString('latin1', 0, end);
      if (!/^OK \d{1,10}$/.test(line)) {
        reject(new VsockError('protocol', 'it answered with something else than "OK" and a number'));
        return;
      }
      stream.off('readable', look);
      if (answer.length > end + 1) stream.unshift(answer.subarray(end + 1));
      resolve();
      return;
    }
  };
  const onGone = (): void => reject(new VsockError('unanswered', 'nobody accepts in the guest'));
  const onAbort = (): void => reject(signal.reason as Error);
  const deadline = setTimeout(
    () => reject(new VsockError('unanswered', `no answer within ${timeoutMs} ms`)),
    timeoutMs,
  );
  signal.addEventListener('abort', onAbort, { once: true });
  stream.on('readable', look);
  for (const event of ['end', 'close', 'error'] as const) stream.once(event, onGone);
  try {
    await promise;
  } finally {
    clearTimeout(deadline);
    signal.removeEventListener('abort', onAbort);
    stream.off('readable', look);
    for (const event of ['end', 'close', 'error'] as const) stream.off(event, onGone);
  }
}
