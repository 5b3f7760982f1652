import type { OperationEvent } from '../../contracts/event.ts';
import type { Operation, OperationKind } from '../../contracts/operation.ts';
import { AppError, toAppError } from '../app-error.ts';
import type { EventBus } from '../events/event-bus.ts';
import type { OperationContext } from './operation-context.ts';
import { newOperationId } from './operation-id.ts';
import { endedOperation } from './operation-outcome.ts';
import type { NumberedEvent, OperationJournal, OperationRepository } from './ports.ts';
import { RunningOperation } from './running-operation.ts';

/** Operations that are remembered. */
const KEPT_OPERATIONS = 200;

export interface OperationServiceOptions {
  readonly repository: OperationRepository;
  readonly journal: OperationJournal;
  readonly bus: EventBus;
  readonly now: () => Date;
  /** Told of what no caller hears: a fault in banger itself, a record or journal that could not be written. */
  readonly onFault: (error: unknown, operationId: string) => void;
  /** Told of every end, for the daemon's log; `error` is what the work threw, with its causes. */
  readonly onEnd?: (operation: Operation, error: unknown) => void;
}

export interface OperationPlan {
  readonly kind: OperationKind;
  /** Name of the image or VM it works on. */
  readonly target: string;
  /** Stages in the order they will run; more may be begun than were planned. */
  readonly stages: readonly string[];
}

interface Live {
  readonly running: RunningOperation;
  /** Settles when everything about the end is written; never rejects. */
  readonly ended: Promise<Operation>;
}

/** Starts, follows and cancels operations. Their work runs on its own, whoever asked for it may go away. */
export class OperationService {
  readonly #options: OperationServiceOptions;
  readonly #live = new Map<string, Live>();
  #stopping = false;

  constructor(options: OperationServiceOptions) {
    this.#options = options;
  }

  /**
   * Starts work and returns at once.
   *
   * @returns the operation as it is at its start.
   * @throws AppError DAEMON_STOPPING; STORE_FAILED, DISK_FULL where it cannot be recorded: the work does not run then.
   */
  start(plan: OperationPlan, work: (context: OperationContext) => Promise<unknown>): Operation {
    if (this.#stopping) throw new AppError('DAEMON_STOPPING', 'The daemon is stopping and begins nothing new');
    const { repository, journal, now } = this.#options;
    const operation: Operation = {
      id: newOperationId(),
      kind: plan.kind,
      target: plan.target,
      state: 'running',
      stages: plan.stages.map((name) => ({ name, state: 'pending' })),
      createdAt: now().toISOString(),
    };
    const { id } = operation;
    repository.insert(operation);
    let isSaved = true;
    const running = new RunningOperation(operation, {
      now,
      save: (changed) => {
        isSaved = this.#save(changed);
      },
      record: (sequence, event) => journal.append(id, { sequence, event }),
    });
    // After the caller has it: nothing of the work runs within `start`.
    const ended = Promise.resolve()
      .then(() => running.run(work))
      .then(async (error) => {
        if (error !== undefined && toAppError(error).code === 'INTERNAL') this.#options.onFault(error, id);
        this.#options.onEnd?.(running.current, error);
        await this.#closeJournal(id);
        // One whose end could not be recorded stays here, so that at least we tell the truth.
        if (isSaved) this.#live.delete(id);
        return running.current;
      });
    this.#live.set(id, { running, ended });
    this.#publish(id, 'created');
    return operation;
  }

  /** @throws AppError OPERATION_NOT_FOUND. */
  get(id: string): Operation {
    const found = this.#live.get(id)?.running.current ?? this.#options.repository.find(id);
    if (found) return found;
    throw new AppError('OPERATION_NOT_FOUND', `There is no operation ${id}`, { details: { id } });
  }

  /** Newest first. */
  list(limit = KEPT_OPERATIONS): readonly Operation[] {
    return this.#options.repository
      .list(limit)
      .map((operation) => this.#live.get(operation.id)?.running.current ?? operation);
  }

  runningCount(): number {
    return this.#running().length;
  }

  /**
   * Asks an operation to stop and to undo what it made; it is `cancelled` once it has.
   *
   * @throws AppError OPERATION_NOT_FOUND, OPERATION_ENDED.
   */
  cancel(id: string): Operation {
    const operation = this.get(id);
    const live = this.#live.get(id);
    if (!live || live.running.hasEnded) {
      throw new AppError('OPERATION_ENDED', `Operation ${id} has ended already: ${operation.state}`, {
        details: { id, state: operation.state },
      });
    }
    live.running.cancel(new AppError('OPERATION_CANCELLED', `Operation ${id} was cancelled`, { details: { id } }));
    return live.running.current;
  }

  /**
   * Waits until the operation has ended, whichever way.
   *
   * @throws AppError OPERATION_NOT_FOUND; the reason of `signal`.
   */
  async wait(id: string, signal?: AbortSignal): Promise<Operation> {
    const operation = this.get(id);
    const live = this.#live.get(id);
    if (!live) return operation;
    return signal ? orAborted(live.ended, signal) : live.ended;
  }

  /**
   * Its events after `after`, then those to come; ends after `end`, or when `signal` is aborted. A listener that is
   * slow holds nothing up and misses nothing: what is no longer in memory it gets from the journal.
   *
   * @throws AppError OPERATION_NOT_FOUND, at once; from the iteration STORE_FAILED, DISK_FULL.
   */
  events(id: string, after: number, signal: AbortSignal): AsyncIterable<NumberedEvent> {
    this.get(id);
    return this.#follow(id, after, signal);
  }

  /** The log so far, `[stage] line`. @throws AppError OPERATION_NOT_FOUND. */
  async log(id: string): Promise<string> {
    this.get(id);
    return this.#options.journal.readLog(id);
  }

  /**
   * At start: operations that a daemon before us left running have been interrupted.
   *
   * @returns them, so that what they had made can be removed.
   */
  async interruptLeftOver(): Promise<readonly Operation[]> {
    const interrupted: Operation[] = [];
    for (const operation of this.#options.repository.listRunning()) {
      if (!this.#live.has(operation.id)) interrupted.push(await this.#interrupt(operation));
    }
    return interrupted;
  }

  /** Forgets every operation but the newest `keep`, and journals that no record belongs to. */
  async prune(keep = KEPT_OPERATIONS): Promise<void> {
    const { repository, journal } = this.#options;
    for (const id of repository.listIdsBeyond(keep)) {
      await journal.remove(id);
      repository.delete(id);
    }
    for (const id of await journal.list()) {
      if (!this.#live.has(id) && !this.#isRecorded(id)) await journal.remove(id);
    }
  }

  /**
   * Begins nothing new, cancels everything that runs, and waits until it has undone what it made or `signal` is
   * aborted.
   *
   * @returns ids of operations that had not ended by then.
   */
  async shutdown(signal: AbortSignal): Promise<readonly string[]> {
    this.#stopping = true;
    const reason = new AppError('OPERATION_CANCELLED', 'The operation was cancelled: the daemon is stopping');
    for (const { running } of this.#running()) running.cancel(reason);
    const allEnded = Promise.all([...this.#live.values()].map(({ ended }) => ended));
    try {
      await orAborted(allEnded, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    return this.#running().map(({ running }) => running.current.id);
  }

  #running(): readonly Live[] {
    return [...this.#live.values()].filter(({ running }) => !running.hasEnded);
  }

  async *#follow(id: string, after: number, signal: AbortSignal): AsyncGenerator<NumberedEvent, void, undefined> {
    let last = after;
    while (!signal.aborted) {
      const feed = this.#live.get(id)?.running.feed;
      const held = feed?.after(last)?.map(({ sequence, value }) => ({ sequence, event: value }));
      const before = last;
      for await (const entry of held ?? this.#options.journal.read(id, last)) {
        if (signal.aborted) return;
        yield entry;
        last = entry.sequence;
        if (entry.event.type === 'end') return;
      }
      if (!feed || (feed.closed && last >= feed.lastSequence)) return yield this.#knownEnd(id, last);
      // A journal that was taken away has nothing to give: go on with what is held; the gap shows in the numbers.
      if (held === undefined && last === before) last = (feed.held()[0]?.sequence ?? last + 1) - 1;
      await feed.changed(last, signal);
    }
  }

  /** For a listener that comes back after the end, or where the journal was lost: the record tells how it ended. */
  #knownEnd(id: string, last: number): NumberedEvent {
    const operation = this.get(id);
    const at = operation.endedAt ?? operation.createdAt;
    return { sequence: last + 1, event: { type: 'end', at, operation } };
  }

  async #interrupt(operation: Operation): Promise<Operation> {
    const { journal, now } = this.#options;
    const { id } = operation;
    const error = new AppError('OPERATION_INTERRUPTED', `The daemon ended while operation ${id} ran`).toBody(id);
    const ended = endedOperation(operation, { state: 'interrupted', error }, now());
    this.#save(ended);
    const at = now().toISOString();
    const changed = ended.stages.filter((stage, index) => stage.state !== operation.stages[index]?.state);
    const events: OperationEvent[] = [
      ...changed.map((stage) => ({ type: 'stage' as const, at, stage })),
      { type: 'end', at, operation: ended },
    ];
    let sequence = await this.#lastSequence(id);
    for (const event of events) {
      sequence += 1;
      journal.append(id, { sequence, event });
    }
    await this.#closeJournal(id);
    return ended;
  }

  async #lastSequence(id: string): Promise<number> {
    let last = 0;
    for await (const { sequence } of this.#options.journal.read(id, 0)) last = sequence;
    return last;
  }

  /** @returns whether it could be kept. A record that cannot be written does not fail the work. */
  #save(operation: Operation): boolean {
    try {
      this.#options.repository.update(operation);
      return true;
    } catch (error) {
      this.#options.onFault(error, operation.id);
      return false;
    } finally {
      this.#publish(operation.id, 'updated');
    }
  }

  async #closeJournal(id: string): Promise<void> {
    try {
      await this.#options.journal.close(id);
    } catch (error) {
      this.#options.onFault(error, id);
    }
  }

  #isRecorded(id: string): boolean {
    try {
      return this.#options.repository.find(id) !== undefined;
    } catch (error) {
      // A damaged record is a record.
      if (error instanceof AppError && error.code === 'STORE_FAILED') return true;
      throw error;
    }
  }

  #publish(id: string, change: 'created' | 'updated'): void {
    this.#options.bus.publish({ resource: 'operation', name: id, change });
  }
}

/** @throws the signal's reason where it is aborted first. */
async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void =>
    reject(signal.reason instanceof Error ? signal.reason : new AppError('INTERNAL', 'Aborted'));
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
