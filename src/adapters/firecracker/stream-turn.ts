import type { Duplex } from 'node:stream';
import { orAborted } from '../../core/operations/or-aborted.ts';

/** One stream at a time: the next is opened once the one before is closed. */
export class StreamTurn {
  #last: Promise<unknown> = Promise.resolve();

  /** @throws what `open` throws; the signal's reason while it waits. */
  async take<Stream extends Duplex>(open: () => Promise<Stream>, signal: AbortSignal): Promise<Stream> {
    const before = this.#last;
    const { promise: over, resolve } = Promise.withResolvers<void>();
    // Whoever gives up its turn leaves the one before to those who come after.
    this.#last = before.then(() => over);
    try {
      await orAborted(before, signal);
      const stream = await open();
      if (stream.closed) resolve();
      else stream.once('close', resolve);
      return stream;
    } catch (error) {
      resolve();
      throw error;
    }
  }
}
