import type { OperationEvent } from '../../contracts/event.ts';
import { hasEnded, type Operation, type Stage } from '../../contracts/operation.ts';
import { AppError } from '../app-error.ts';
import { NumberedFeed } from '../events/numbered-feed.ts';
import { LogLimit } from './log-limit.ts';
import type { OperationContext, StageContext } from './operation-context.ts';
import { errorsOf } from '../undo.ts';
import {
  CLEAN_UP_STAGE,
  endedOperation,
  endEvents,
  failureOutcome,
  mayCleanUp,
  notReleased,
  type Outcome,
} from './operation-outcome.ts';

/** Recent events that are held in memory; slower listeners read the journal. */
const HELD_EVENTS = 500;

/** At most this often is progress told, for each stage. */
const PROGRESS_INTERVAL_MS = 250;

export interface RunningOperationOptions {
  readonly now: () => Date;
  /** Keeps the operation's new state; never throws. */
  readonly save: (operation: Operation) => void;
  /** Keeps one event; never throws. */
  readonly record: (sequence: number, event: OperationEvent) => void;
}

type EndStage = (state: Exclude<Stage['state'], 'pending' | 'running'>, note?: string) => void;

/** One operation from its start to its end: its stages, its events, its cancel. */
export class RunningOperation {
  readonly feed = new NumberedFeed<OperationEvent>(HELD_EVENTS);
  readonly #options: RunningOperationOptions;
  readonly #abort = new AbortController();
  readonly #log = new LogLimit();
  /** Errors of stages that failed before anybody cancelled. */
  readonly #genuine = new WeakSet<object>();
  #operation: Operation;
  /** Ends the stage `clean up`; set from the failure of the work until its end. */
  #endCleanUp: EndStage | undefined;

  constructor(operation: Operation, options: RunningOperationOptions) {
    this.#operation = operation;
    this.#options = options;
  }

  /** The operation as it is now; it is not changed later. */
  get current(): Operation {
    return this.#operation;
  }

  get hasEnded(): boolean {
    return hasEnded(this.#operation);
  }

  /** Asks the work to stop; does nothing where somebody has asked before. */
  cancel(reason: AppError): void {
    this.#abort.abort(reason);
  }

  /** Runs the work to its end, whatever that is. Never rejects. @returns what the work failed with. */
  async run(work: (context: OperationContext) => Promise<unknown>): Promise<unknown> {
    for (const stage of this.#operation.stages) this.#emit({ type: 'stage', at: this.#at(), stage });
    try {
      const result = await work(this.#context());
      this.#end({ state: 'succeeded', result });
      return undefined;
    } catch (error) {
      const left = notReleased(error);
      this.#endCleanUp?.(left.length > 0 ? 'failed' : 'succeeded', left.join('; ') || undefined);
      this.#end(failureOutcome(this.#operation.id, error, this.#cancelledBefore(error)));
      return error;
    }
  }

  #cancelledBefore(error: unknown): AppError | undefined {
    const { signal } = this.#abort;
    if (!signal.aborted || this.#isGenuine(errorsOf(error)[0])) return undefined;
    return signal.reason instanceof AppError
      ? signal.reason
      : new AppError('OPERATION_CANCELLED', 'The operation was cancelled', { cause: signal.reason });
  }

  /** What was made from a genuine error is one too. */
  #isGenuine(error: unknown): boolean {
    for (let cause = error; cause instanceof Error; { cause } = cause) if (this.#genuine.has(cause)) return true;
    return false;
  }

  #context(): OperationContext {
    return {
      id: this.#operation.id,
      signal: this.#abort.signal,
      stage: (name, work) => this.#stage(name, work),
      skip: (name, note) => this.#setStage({ name, state: 'skipped', note }),
      undoing: () => this.#beginCleanUp(),
    };
  }

  async #stage<T>(name: string, work: (stage: StageContext) => Promise<T>): Promise<T> {
    const planned = this.#operation.stages.find((stage) => stage.name === name);
    if (planned && planned.state !== 'pending') {
      throw new AppError('INTERNAL', `Stage "${name}" was begun twice`);
    }
    const end = this.#begin(name);
    let note: string | undefined;
    try {
      const result = await work(
        this.#stageContext(name, (text) => {
          note = text;
        }),
      );
      end('succeeded', note);
      return result;
    } catch (error) {
      // What cleans up hears of no cancel: what it fails with is its own.
      const aborted = this.#abort.signal.aborted && name !== CLEAN_UP_STAGE;
      const [first] = errorsOf(error);
      if (!aborted && typeof first === 'object' && first !== null) this.#genuine.add(first);
      end(aborted ? 'cancelled' : 'failed', note);
      this.#beginCleanUp();
      throw error;
    }
  }

  #begin(name: string, isSaved = true): EndStage {
    const started = this.#options.now();
    const running: Stage = { name, state: 'running', startedAt: started.toISOString() };
    this.#setStage(running, isSaved);
    return (state, note) => {
      const durationMs = Math.max(0, Math.round(this.#options.now().getTime() - started.getTime()));
      this.#setStage({ ...running, state, durationMs, ...(note === undefined ? {} : { note }) }, isSaved);
    };
  }

  /**
   * What goes on between a failure and the end of the work is that what was made is undone, wherever that is done.
   * The record has it once the operation has ended: where the disk is full, what can still be written is for the undoing.
   */
  #beginCleanUp(): void {
    if (mayCleanUp(this.#operation)) this.#endCleanUp = this.#begin(CLEAN_UP_STAGE, false);
  }

  #stageContext(name: string, setNote: (text: string) => void): StageContext {
    let toldAt = Number.NEGATIVE_INFINITY;
    let toldDone = -1;
    return {
      signal: this.#abort.signal,
      log: (text) => {
        for (const line of this.#log.admit(text)) this.#emit({ type: 'log', at: this.#at(), stage: name, line });
      },
      progress: (done, total) => {
        const now = this.#options.now().getTime();
        const isLast = done >= total && done !== toldDone;
        if (!isLast && now - toldAt < PROGRESS_INTERVAL_MS) return;
        toldAt = now;
        toldDone = done;
        this.#emit({ type: 'progress', at: this.#at(), stage: name, done, total });
      },
      note: setNote,
    };
  }

  /** Replaces the stage of that name, or adds it behind the others. */
  #setStage(stage: Stage, isSaved = true): void {
    const { stages } = this.#operation;
    const index = stages.findIndex(({ name }) => name === stage.name);
    const changed = index < 0 ? [...stages, stage] : stages.with(index, stage);
    this.#operation = { ...this.#operation, stages: changed };
    this.#emit({ type: 'stage', at: this.#at(), stage });
    if (isSaved) this.#options.save(this.#operation);
  }

  #end(outcome: Outcome): void {
    const before = this.#operation;
    this.#operation = endedOperation(before, outcome, this.#options.now());
    // The record first: a crash in between leaves an end that the record tells, never two ends that differ.
    this.#options.save(this.#operation);
    for (const event of endEvents(before, this.#operation)) this.#emit(event);
    this.feed.close();
  }

  #emit(event: OperationEvent): void {
    // Work that goes on after the end (a line that was still on its way) has no listener any more.
    if (this.feed.closed) return;
    this.#options.record(this.feed.append(event), event);
  }

  #at(): string {
    return this.#options.now().toISOString();
  }
}
