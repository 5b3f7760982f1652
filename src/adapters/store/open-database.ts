/** Opens the database: its file private, its content sound, its schema ours and up to date. */
import { chmodSync, closeSync, mkdirSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { AppError } from '../../core/app-error.ts';
import { DAMAGE_HINT, Database } from './database.ts';
import { MIGRATIONS } from './migrations/all-migrations.ts';
import type { Migration } from './migrations/migration.ts';
import { CHECKPOINT_PAGES, keepReserve } from './reserve.ts';

/** SQLite's `application_id`: "BNGR". Tells our file from any other database. */
const APPLICATION_ID = 0x42_4e_47_52;

/**
 * @param migrations every step of the schema that this program knows.
 * @throws AppError STORE_FAILED where the file is damaged, is not ours, or was written by a newer banger; a newer
 * file is left as it is. DISK_FULL.
 */
export function openDatabase(path: string, migrations: readonly Migration[] = MIGRATIONS): Database {
  makePrivate(path);
  const database = new Database(path);
  try {
    assertSound(database);
    assertOurs(database, migrations);
    // One writer, few writes, each of them a name given or a thing made: worth a sync of its own, so that a power
    // cut never takes back what a user was told. NORMAL would save 2 ms a transaction.
    database.script('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
    database.script(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    migrate(database, migrations);
    keepReserve(database);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function makePrivate(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  // Born 0600: SQLite gives its WAL and its shared memory the file's own mode.
  closeSync(openSync(path, 'a', 0o600));
  if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o600);
}

function assertSound(database: Database): void {
  const problems = database.all('PRAGMA quick_check(5)').map((row) => String(row['quick_check']));
  if (problems.length === 1 && problems[0] === 'ok') return;
  throw new AppError(
    'STORE_FAILED',
    `The database ${database.path} is damaged: ${problems[0] ?? 'it cannot be checked'}`,
    {
      hint: DAMAGE_HINT,
      details: { path: database.path, problems },
    },
  );
}

function assertOurs(database: Database, migrations: readonly Migration[]): void {
  const isEmpty = database.get('SELECT 1 FROM sqlite_schema LIMIT 1') === undefined;
  const applicationId = Number(database.get('PRAGMA application_id')?.['application_id']);
  if (!isEmpty && applicationId !== APPLICATION_ID) {
    throw new AppError('STORE_FAILED', `${database.path} is a database, but not one of banger's`, {
      hint: 'Move the file away, or set BANGER_HOME to another folder.',
      details: { path: database.path, applicationId },
    });
  }
  const found = schemaVersion(database);
  const known = migrations.length;
  if (found <= known) return;
  throw new AppError(
    'STORE_FAILED',
    `The database ${database.path} was written by a newer banger: its schema is ${found}, this one knows ${known}`,
    {
      hint: 'Install the newer banger again, or put back the copy that it made before it upgraded the database.',
      details: { path: database.path, schemaVersion: found, knownVersion: known },
    },
  );
}

function schemaVersion(database: Database): number {
  return Number(database.get('PRAGMA user_version')?.['user_version']);
}

function migrate(database: Database, migrations: readonly Migration[]): void {
  const from = schemaVersion(database);
  if (from === migrations.length) return;
  if (from > 0) backUp(database, `${database.path}.schema-${from}.bak`);
  database.transaction(() => {
    // Read again under the write lock: another process may have been quicker.
    for (const migration of migrations.slice(schemaVersion(database))) {
      database.script(migration.up);
      database.script(`PRAGMA user_version = ${migration.version}`);
    }
    database.script(`PRAGMA application_id = ${APPLICATION_ID}`);
  });
}

/** A copy of the whole database beside it, complete or not there at all. */
function backUp(database: Database, target: string): void {
  const temporary = `${target}.tmp`;
  // VACUUM INTO refuses a file that is not empty; one left by a crash is worth nothing.
  rmSync(temporary, { force: true });
  closeSync(openSync(temporary, 'wx', 0o600));
  database.run('VACUUM INTO :target', { target: temporary });
  renameSync(temporary, target);
}
