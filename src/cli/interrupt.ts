import { constants } from 'node:os';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

type InterruptSignal = (typeof SIGNALS)[number];

/** The user's Ctrl-C, or another signal that ends a program, as the reason of an abort. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
  readonly signal: InterruptSignal;
  /** 128 + the signal's number, as a shell has it: 130 for Ctrl-C. */
  readonly exitStatus: number;
  /** What to tell the user, filled in by who knows what was going on. */
  readonly notes: readonly string[];

  constructor(signal: InterruptSignal, notes: readonly string[] = []) {
    super(`ended by ${signal}`);
    this.exitStatus = 128 + constants.signals[signal];
    this.notes = notes;
    this.signal = signal;
  }
}

export interface InterruptWatch extends Disposable {
  /** Aborted with an Interrupted at the first signal. */
  readonly signal: AbortSignal;
}

/**
 * Turns the signals that end a program into an abort, until it is disposed of.
 *
 * @param patience how many signals are taken; the next one ends the program at once.
 */
export function watchInterrupts(patience = 1): InterruptWatch {
  const controller = new AbortController();
  let taken = 0;
  const onSignal = (signal: NodeJS.Signals): void => {
    const interrupted = new Interrupted(signal as InterruptSignal);
    taken += 1;
    if (taken > patience) process.exit(interrupted.exitStatus);
    controller.abort(interrupted);
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      for (const signal of SIGNALS) process.off(signal, onSignal);
    },
  };
}
