/** Many ask for the same thing, it is made once; whoever asks can stop waiting, and the last to leave stops the work. */

interface Flight<T> {
  readonly result: Promise<T>;
  readonly stop: AbortController;
  readonly listeners: Set<(line: string) => void>;
}

type Work<T> = (log: (line: string) => void, signal: AbortSignal) => Promise<T>;

export class SingleFlight<T> {
  readonly #flights = new Map<string, Flight<T>>();

  /**
   * @param log is told what the work says from now on, whoever started it.
   * @throws `signal.reason` where the wait is cancelled; the last waiter first sees the work end.
   */
  async run(key: string, work: Work<T>, waiter: { log: (line: string) => void; signal: AbortSignal }): Promise<T> {
    const { signal } = waiter;
    signal.throwIfAborted();
    const flight = this.#flights.get(key) ?? this.#start(key, work);
    // Two waiters may share one function.
    const listener = (line: string): void => waiter.log(line);
    flight.listeners.add(listener);
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await Promise.race([flight.result, aborted]);
    } finally {
      signal.removeEventListener('abort', onAbort);
      flight.listeners.delete(listener);
      if (flight.listeners.size === 0) await this.#abandon(key, flight, signal.reason);
    }
  }

  /** Nothing of the work is left once its last waiter is gone. */
  async #abandon(key: string, flight: Flight<T>, reason: unknown): Promise<void> {
    // The next to ask must not join work that is being stopped.
    if (this.#flights.get(key) === flight) this.#flights.delete(key);
    flight.stop.abort(reason);
    await Promise.allSettled([flight.result]);
  }

  #start(key: string, work: Work<T>): Flight<T> {
    const stop = new AbortController();
    const listeners = new Set<(line: string) => void>();
    const say = (line: string): void => {
      for (const listener of listeners) listener(line);
    };
    const flight: Flight<T> = { result: work(say, stop.signal), stop, listeners };
    this.#flights.set(key, flight);
    const land = (): void => {
      if (this.#flights.get(key) === flight) this.#flights.delete(key);
    };
    // Failures are the waiters' affair; without one left there is nobody to tell.
    flight.result.then(land, land);
    return flight;
  }
}
