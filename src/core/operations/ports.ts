import type { Operation } from '../../contracts/operation.ts';
import type { OperationEvent } from '../../contracts/event.ts';

export interface OperationRepository {
  insert(operation: Operation): void;
  update(operation: Operation): void;
  find(id: string): Operation | undefined;
  /** Newest first. */
  list(limit: number): readonly Operation[];
  /** Operations whose record says `running`: after a restart these were interrupted. */
  listRunning(): readonly Operation[];
  /** Ids of every operation but the newest `keep`, oldest first; those still running are not among them. */
  listIdsBeyond(keep: number): readonly string[];
  delete(id: string): void;
}

export interface NumberedEvent {
  /** From 1, without gaps, within one operation. */
  readonly sequence: number;
  readonly event: OperationEvent;
}

/** An operation's events on disk: what a client that comes back reads. */
export interface OperationJournal {
  /** Buffered; it is on disk a moment later. A write that fails is tried again with the next. */
  append(operationId: string, entry: NumberedEvent): void;
  /** Everything after `after`, in order, what is still buffered included. @throws AppError where that cannot be written. */
  read(operationId: string, after: number): AsyncIterable<NumberedEvent>;
  /** The log's lines alone, `[stage] line`, each ended by a newline. */
  readLog(operationId: string): Promise<string>;
  /** Writes what is buffered and lets go of the file. */
  close(operationId: string): Promise<void>;
  /** Removes an operation's journal; does nothing where it is gone. */
  remove(operationId: string): Promise<void>;
  /** Ids of every operation that has a journal. */
  list(): Promise<readonly string[]>;
}
