/** Waiting for a guest: a list of probes, each raced against the VMM's end. */
import { AppError, describe } from '../app-error.ts';
import type { RunningMachine } from './ports.ts';

export interface ReadinessProbe {
  /** What is waited for: `ssh`. */
  readonly name: string;
  readonly timeoutMs: number;
  /** What to look at when it never comes. */
  readonly hint: string;
  /** Resolves when the guest is that far. Must end when the signal aborts. */
  readonly wait: (signal: AbortSignal) => Promise<void>;
}

export interface ReadinessOptions {
  readonly machine: Pick<RunningMachine, 'exited'>;
  readonly probes: readonly ReadinessProbe[];
  /** The console's last lines, for the error. */
  readonly consoleTail: () => Promise<readonly string[]>;
  readonly log: (line: string) => void;
}

/**
 * Runs the probes one after the other.
 *
 * @throws AppError BOOT_EXITED where the VMM ends first, BOOT_TIMEOUT where a probe passes its deadline, each with the
 * name of the stage that hung and the console's last lines; the signal's reason where it is aborted.
 */
export async function waitUntilReady(options: ReadinessOptions, signal: AbortSignal): Promise<void> {
  for (const probe of options.probes) {
    const startedMs = performance.now();
    await waitForProbe(probe, options, signal);
    options.log(`${probe.name} answers after ${Math.round(performance.now() - startedMs)} ms`);
  }
}

async function waitForProbe(probe: ReadinessProbe, options: ReadinessOptions, signal: AbortSignal): Promise<void> {
  const done = new AbortController();
  const limit = AbortSignal.any([signal, done.signal, AbortSignal.timeout(probe.timeoutMs)]);
  const exited = options.machine.exited.then(async (exit) => {
    if (done.signal.aborted) return;
    throw new AppError(
      'BOOT_EXITED',
      `The guest ended (${exit.reason}: ${exit.detail}) before ${probe.name} answered.`,
      {
        details: { stage: probe.name, exit, console: await options.consoleTail() },
      },
    );
  });
  try {
    await Promise.race([exited, probe.wait(limit)]);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof AppError && error.code === 'BOOT_EXITED') throw error;
    throw new AppError(
      'BOOT_TIMEOUT',
      `The guest started, but ${probe.name} did not answer within ${Math.round(probe.timeoutMs / 1000)} s.`,
      {
        hint: probe.hint,
        details: { stage: probe.name, why: describe(error), console: await options.consoleTail() },
        cause: error,
      },
    );
  } finally {
    done.abort();
    // The loser of the race must not surface as an unhandled rejection.
    exited.catch(() => undefined);
  }
}
