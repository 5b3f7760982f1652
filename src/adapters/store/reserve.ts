/**
 * Room that the database keeps for itself. A full disk must not keep us from recording that a build has failed, that a
 * name is free again, that a VM is gone: for that SQLite writes pages to its log, and may need new ones in the file.
 */
import type { Database } from './database.ts';

/** 256 KiB at SQLite's page size of 4 KiB: some hundred records. */
const RESERVE_PAGES = 64;
/** Below this the reserve is filled up again. */
const LEAST_PAGES = RESERVE_PAGES / 2;
const PAGE_BYTES = 4096;

/**
 * Sees to it that the file has free pages, and its log as many: pages that were freed stay in the file, and the log is
 * written from its beginning again after each checkpoint. A disk that is full now is told of before anything else is begun.
 *
 * @throws AppError DISK_FULL where there is no room for the reserve itself.
 */
export function keepReserve(database: Database): void {
  const free = Number(database.get('PRAGMA freelist_count')?.['freelist_count']);
  if (free >= LEAST_PAGES) return;
  // Two transactions: pages that one transaction both takes and frees are never written, and so take no room.
  database.transaction(() => {
    database.script('CREATE TABLE IF NOT EXISTS reserve (content BLOB NOT NULL) STRICT');
    database.script(`INSERT INTO reserve VALUES (zeroblob(${RESERVE_PAGES * PAGE_BYTES}))`);
  });
  database.script('PRAGMA wal_checkpoint(RESTART)');
  database.script('DROP TABLE reserve');
}

/** A checkpoint before the log outgrows what the reserve has made of it, `pages`. */
export const CHECKPOINT_PAGES = RESERVE_PAGES / 2;
