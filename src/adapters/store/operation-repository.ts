import { type Operation, operationSchema } from '../../contracts/operation.ts';
import { AppError } from '../../core/app-error.ts';
import type { OperationRepository } from '../../core/operations/ports.ts';
import type { Database, Row } from './database.ts';
import { parseRecord } from './json-record.ts';
import { keepReserve } from './reserve.ts';

/**
 * Operations in the store. They are history: a damaged record is left out of lists and told to `onDamaged`, so that
 * one bad row never hides the others; asked for by its id it is STORE_FAILED.
 */
export class SqliteOperationRepository implements OperationRepository {
  readonly #database: Database;
  readonly #onDamaged: (problem: AppError) => void;

  constructor(database: Database, onDamaged: (problem: AppError) => void) {
    this.#database = database;
    this.#onDamaged = onDamaged;
  }

  /** @throws AppError DISK_FULL where there would be no room to record its end. */
  insert(operation: Operation): void {
    keepReserve(this.#database);
    this.#database.run('INSERT INTO operations (id, state, record) VALUES (:id, :state, :record)', toRow(operation));
  }

  /** @throws AppError OPERATION_NOT_FOUND. */
  update(operation: Operation): void {
    const sql = 'UPDATE operations SET state = :state, record = :record WHERE id = :id';
    if (this.#database.run(sql, toRow(operation)) === 0) {
      throw new AppError('OPERATION_NOT_FOUND', `Operation ${operation.id} has no record`);
    }
  }

  find(id: string): Operation | undefined {
    const row = this.#database.get('SELECT id, record FROM operations WHERE id = :id', { id });
    return row && toOperation(row);
  }

  list(limit: number): readonly Operation[] {
    const sql = 'SELECT id, record FROM operations ORDER BY number DESC LIMIT :limit';
    return this.#readable(this.#database.all(sql, { limit }));
  }

  listRunning(): readonly Operation[] {
    const sql = "SELECT id, record FROM operations WHERE state = 'running' ORDER BY number";
    return this.#readable(this.#database.all(sql));
  }

  listIdsBeyond(keep: number): readonly string[] {
    const sql = `
      SELECT id FROM operations
      WHERE state <> 'running' AND number NOT IN (SELECT number FROM operations ORDER BY number DESC LIMIT :keep)
      ORDER BY number`;
    return this.#database.all(sql, { keep }).map((row) => String(row['id']));
  }

  delete(id: string): void {
    this.#database.run('DELETE FROM operations WHERE id = :id', { id });
  }

  #readable(rows: readonly Row[]): readonly Operation[] {
    return rows.flatMap((row) => {
      try {
        return [toOperation(row)];
      } catch (error) {
        if (!(error instanceof AppError && error.code === 'STORE_FAILED')) throw error;
        this.#onDamaged(error);
        return [];
      }
    });
  }
}

function toOperation(row: Row): Operation {
  return parseRecord(operationSchema, row['record'], `operation ${String(row['id'])}`);
}

function toRow(operation: Operation): { id: string; state: string; record: string } {
  return { id: operation.id, state: operation.state, record: JSON.stringify(operation) };
}
