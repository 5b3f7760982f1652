/** The stores of operations, in memory, by the very contracts of the ports. */
import type { Operation } from '../../src/contracts/operation.ts';
import type { NumberedEvent, OperationJournal, OperationRepository } from '../../src/core/operations/ports.ts';

export class MemoryOperationRepository implements OperationRepository {
  readonly records = new Map<string, Operation>();
  /** Thrown by the next writes while it is set. */
  failure: Error | undefined;

  insert(operation: Operation): void {
    if (this.failure) throw this.failure;
    this.records.set(operation.id, structuredClone(operation));
  }

  update(operation: Operation): void {
    this.insert(operation);
  }

  find(id: string): Operation | undefined {
    return structuredClone(this.records.get(id));
  }

  list(limit: number): readonly Operation[] {
    return [...this.records.values()].toReversed().slice(0, limit);
  }

  listRunning(): readonly Operation[] {
    return [...this.records.values()].filter(({ state }) => state === 'running');
  }

  listIdsBeyond(keep: number): readonly string[] {
    const beyond = this.list(Number.MAX_SAFE_INTEGER).slice(keep);
    return beyond.filter(({ state }) => state !== 'running').map(({ id }) => id);
  }

  delete(id: string): void {
    this.records.delete(id);
  }
}

export class MemoryOperationJournal implements OperationJournal {
  readonly entries = new Map<string, NumberedEvent[]>();
  readonly closed: string[] = [];
  /** Thrown by `close` while it is set. */
  failure: Error | undefined;
  /** Thrown by `read` while it is set. */
  readFailure: Error | undefined;

  append(operationId: string, entry: NumberedEvent): void {
    const entries = this.entries.get(operationId) ?? [];
    entries.push(structuredClone(entry));
    this.entries.set(operationId, entries);
  }

  async *read(operationId: string, after: number): AsyncGenerator<NumberedEvent, void, undefined> {
    if (this.readFailure) throw this.readFailure;
    for (const entry of (this.entries.get(operationId) ?? []).slice()) {
      await Promise.resolve();
      if (entry.sequence > after) yield entry;
    }
  }

  readLog(operationId: string): Promise<string> {
    const lines = (this.entries.get(operationId) ?? []).flatMap(({ event }) =>
      event.type === 'log' ? [`[${event.stage}] ${event.line}\n`] : [],
    );
    return Promise.resolve(lines.join(''));
  }

  close(operationId: string): Promise<void> {
    if (this.failure) return Promise.reject(this.failure);
    this.closed.push(operationId);
    return Promise.resolve();
  }

  remove(operationId: string): Promise<void> {
    this.entries.delete(operationId);
    return Promise.resolve();
  }

  list(): Promise<readonly string[]> {
    return Promise.resolve([...this.entries.keys()]);
  }
}
