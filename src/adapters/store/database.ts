/** The one door to SQLite: one file, prepared statements, short transactions, errors from the catalogue. */
import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from 'node:sqlite';
import { AppError, describe } from '../../core/app-error.ts';

/** How long another process's transaction is waited for. Ours take a few milliseconds. */
const BUSY_TIMEOUT_MS = 5_000;

export type Row = Readonly<Record<string, SQLOutputValue>>;
type Parameters = Readonly<Record<string, SQLInputValue>>;

/** An open database. Every method throws AppError STORE_FAILED, or DISK_FULL, where SQLite does. */
export class Database implements Disposable {
  readonly path: string;
  readonly #connection: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  /** Connects and nothing more: `openDatabase` also checks and migrates. */
  constructor(path: string) {
    this.path = path;
    try {
      this.#connection = new DatabaseSync(path, {
        timeout: BUSY_TIMEOUT_MS,
        enableForeignKeyConstraints: true,
        enableDoubleQuotedStringLiterals: false,
        defensive: true,
      });
    } catch (error) {
      throw storeError(path, error);
    }
  }

  /** Runs one statement. @returns how many rows it changed. */
  run(sql: string, parameters: Parameters = {}): number {
    return this.#guard(() => Number(this.#prepare(sql).run(parameters).changes));
  }

  get(sql: string, parameters: Parameters = {}): Row | undefined {
    return this.#guard(() => this.#prepare(sql).get(parameters));
  }

  all(sql: string, parameters: Parameters = {}): readonly Row[] {
    return this.#guard(() => this.#prepare(sql).all(parameters));
  }

  /** Runs several statements that take no parameters: a schema, a pragma. */
  script(sql: string): void {
    this.#guard(() => this.#connection.exec(sql));
  }

  /**
   * Runs `work` with the write lock held from its first moment (BEGIN IMMEDIATE), so that what it reads stays true
   * until it has written. Within a transaction it joins that one.
   */
  transaction<T>(work: () => T): T {
    if (this.#connection.isTransaction) return work();
    this.script('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.script('COMMIT');
      return result;
    } catch (error) {
      // SQLite has rolled back by itself after some failures, such as a full disk.
      if (this.#connection.isTransaction) this.script('ROLLBACK');
      throw error;
    }
  }

  /**
   * Equal to an earlier one where nothing was written in between, by us or by another process; undefined within a
   * transaction, whose writes may yet be taken back. (sqlite.org: total_changes() and PRAGMA data_version.)
   */
  writeMark(): string | undefined {
    if (this.#connection.isTransaction) return undefined;
    const ours = this.get('SELECT total_changes() AS changes')?.['changes'];
    const others = this.get('PRAGMA data_version')?.['data_version'];
    return `${String(ours)} ${String(others)}`;
  }

  close(): void {
    this.#statements.clear();
    if (this.#connection.isOpen) this.#connection.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #prepare(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known) return known;
    const statement = this.#connection.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }

  #guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw storeError(this.path, error);
    }
  }
}

/** Primary result codes of SQLite (sqlite.org/rescode.html) that have words of their own. */
const REASONS: Readonly<Record<number, string>> = {
  5: 'another process is using it',
  6: 'another process is using it',
  8: 'it cannot be written to',
  10: 'reading or writing it failed',
  11: 'it is damaged',
  14: 'it cannot be opened',
  26: 'it is damaged, or is no SQLite database',
};
const SQLITE_FULL = 13;
const DAMAGE = new Set([11, 26]);

/** What to do about a damaged database. */
export const DAMAGE_HINT =
  'Put a copy of it back (those made before an upgrade lie beside it: state.db.schema-N.bak), or move it away to begin anew.';

function storeError(path: string, error: unknown): unknown {
  if (!(error instanceof Error && 'errcode' in error && typeof error.errcode === 'number')) return error;
  const details = { path, sqliteCode: error.errcode, reason: error.message };
  // The low byte is the primary code; the rest narrows it down.
  const code = error.errcode & 0xff;
  if (code === SQLITE_FULL) {
    return new AppError('DISK_FULL', `No space is left for the database ${path}`, { details, cause: error });
  }
  const reason = REASONS[code];
  const message = reason === undefined ? describe(error) : `${reason} (${describe(error)})`;
  return new AppError('STORE_FAILED', `The database ${path} could not be used: ${message}`, {
    ...(DAMAGE.has(code) ? { hint: DAMAGE_HINT } : {}),
    details,
    cause: error,
  });
}
