/**
 * Counts every call into a port and can make one of them fail, or be the moment of a cancel.
 * A test runs the same work once for each number until no call is left: a new call can not be forgotten.
 */

export class InjectedFault extends Error {
  override readonly name = 'InjectedFault';
}

export class FaultPoints {
  #calls = 0;
  #paused = false;
  readonly names: string[] = [];
  readonly #failAt: number | undefined;
  readonly #onReach: (() => void) | undefined;

  /** @param failAt the call that fails, from 1; with `onReach` that is called instead and the call goes on. */
  constructor(failAt?: number, onReach?: () => void) {
    this.#failAt = failAt;
    this.#onReach = onReach;
  }

  /** Looks at the world without being counted. */
  uncounted<Result>(look: () => Result): Result {
    this.#paused = true;
    try {
      return look();
    } finally {
      this.#paused = false;
    }
  }

  hit(name: string): void {
    if (this.#paused) return;
    this.#calls += 1;
    this.names.push(name);
    if (this.#calls !== this.#failAt) return;
    if (this.#onReach) this.#onReach();
    else throw new InjectedFault(`injected at call ${this.#calls}, ${name}`);
  }

  /**
   * `port` with every method counted. Releases are left alone: what fails while undoing is another test's affair.
   */
  watch<Port extends object>(portName: string, port: Port, releases: readonly string[] = []): Port {
    return new Proxy(port, {
      get: (target, property) => {
        const value: unknown = Reflect.get(target, property, target);
        if (typeof value !== 'function' || typeof property !== 'string') return value;
        return (...args: unknown[]): unknown => {
          if (!releases.includes(property)) this.hit(`${portName}.${property}`);
          return Reflect.apply(value, target, args);
        };
      },
    });
  }
}
