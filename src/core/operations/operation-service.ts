import type { Operation, OperationKind } from '../../contracts/operation.ts';
import { AppError, toAppError } from '../app-error.ts';
import type { EventBus } from '../events/event-bus.ts';
import { followOperation } from './follow-operation.ts';
import type { OperationContext } from './operation-context.ts';
import { newOperationId } from './operation-id.ts';
import { endedOperation, endEvents } from './operation-outcome.ts';
import { orAborted } from './or-aborted.ts';
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
    const feed = this.#live.get(id)?.running.feed;
    return followOperation({ id, after, feed, journal: this.#options.journal, find: () => this.get(id) }, signal);
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

  async #interrupt(operation: Operation): Promise<Operation> {
    const { journal, now } = this.#options;
    const { id } = operation;
    const cause = new AppError('OPERATION_INTERRUPTED', `The daemon ended while operation ${id} ran`);
    const ended = endedOperation(operation, { state: 'interrupted', error: cause.toBody(id) }, now());
    this.#save(ended);
    try {
      let sequence = await this.#lastSequence(id);
      for (const event of endEvents(operation, ended)) journal.append(id, { sequence: (sequence += 1), event });
    } catch (error) {
      // The record tells the end; a journal that cannot be read must not keep the daemon from starting.
      this.#options.onFault(error, id);
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
