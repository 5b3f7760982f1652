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
}

export interface NumberedEvent {
  /** From 1, without gaps, within one operation. */
  readonly sequence: number;
  readonly event: OperationEvent;
}

/** An operation's events on disk: what a client that comes back reads. */
export interface OperationJournal {
  append(operationId: string, entry: NumberedEvent): void;
  /** Everything after `after`, in order. */
  read(operationId: string, after: number): Promise<readonly NumberedEvent[]>;
  /** The log's lines alone, `[stage] line`, joined by newlines. */
  readLog(operationId: string): Promise<string>;
  /** Writes what is buffered and lets go of the file. */
  close(operationId: string): Promise<void>;
}
