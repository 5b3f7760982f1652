import { AppError, describe } from './app-error.ts';

interface Release {
  /** What is released, for the error that says it could not be. */
  readonly what: string;
  readonly run: () => Promise<void> | void;
}

/**
 * A stack of releases. Each thing that is acquired pushes its release before the next is acquired;
 * failure runs all of them in reverse, none skipped because another failed; success clears them.
 */
export class Undo {
  #releases: Release[] = [];

  /** @param what names the thing in the error when releasing it fails: "TAP bgr1a2b3c4d". */
  add(what: string, run: () => Promise<void> | void): void {
    this.#releases.push({ what, run });
  }

  /** Everything acquired so far is kept. */
  clear(): void {
    this.#releases = [];
  }

  /**
   * Runs every release, last first.
   *
   * @returns the failures, in the order they happened; empty where all went well.
   */
  async run(): Promise<AppError[]> {
    const failures: AppError[] = [];
    for (let release = this.#releases.pop(); release; release = this.#releases.pop()) {
      try {
        await release.run();
      } catch (error) {
        failures.push(
          new AppError('CLEANUP_FAILED', `Could not remove ${release.what}: ${describe(error)}`, { cause: error }),
        );
      }
    }
    return failures;
  }

  /**
   * Runs every release after `error`, and joins what fails with it.
   *
   * @returns as `joined`.
   */
  async after(error: unknown): Promise<unknown> {
    return joined(error, await this.run());
  }
}

/**
 * An error with what could not be released after it.
 *
 * @returns `error` itself, or an AggregateError whose first member it is.
 */
export function joined(error: unknown, failures: readonly unknown[]): unknown {
  const [first, ...others] = errorsOf(error);
  return failures.length === 0 ? error : new AggregateError([first, ...others, ...failures], describe(first));
}

/** What went wrong first, then what could not be released after it. */
export function errorsOf(error: unknown): readonly [first: unknown, ...others: unknown[]] {
  if (!(error instanceof AggregateError) || error.errors.length === 0) return [error];
  const [first, ...others] = error.errors as readonly unknown[];
  return [first, ...others];
}

/** @throws AggregateError of all of them, where there are any. */
export function throwAll(failures: readonly AppError[]): void {
  if (failures.length > 0) throw new AggregateError(failures, failures[0]?.message);
}
