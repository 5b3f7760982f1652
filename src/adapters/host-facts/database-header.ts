/**
 * Reads the database's own header (sqlite.org/fileformat.html, section 1.3) instead of opening it:
 * even a read-only connection may create files beside it.
 */
import { open } from 'node:fs/promises';
import { describe } from '../../core/app-error.ts';
import type { DatabaseFact } from '../../core/doctor/ports.ts';
import { errorCode, hasCode } from '../../host/error-code.ts';

const HEADER_BYTES = 100;
const MAGIC = 'SQLite format 3\0';
const USER_VERSION_OFFSET = 60;
const APPLICATION_ID_OFFSET = 68;
/** "BNGR", as the store writes it. */
const APPLICATION_ID = 0x42_4e_47_52;

export async function inspectDatabase(path: string, knownVersion: number): Promise<DatabaseFact> {
  let header: Buffer;
  try {
    header = await readHeader(path);
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    if (hasCode(error, 'ENOENT')) return { state: 'absent' };
    return { state: 'unreadable', message: `${path} cannot be read: ${describe(error)}` };
  }
  // Made and not yet written to: the first connection does that.
  if (header.length === 0) return { state: 'unsettled' };
  if (header.length < HEADER_BYTES || header.toString('latin1', 0, MAGIC.length) !== MAGIC) {
    return { state: 'foreign', message: `${path} is no SQLite database` };
  }
  const applicationId = header.readUInt32BE(APPLICATION_ID_OFFSET);
  const schemaVersion = header.readUInt32BE(USER_VERSION_OFFSET);
  if (applicationId === APPLICATION_ID) return { state: 'ours', schemaVersion, knownVersion };
  if (applicationId === 0 && schemaVersion === 0) return { state: 'unsettled' };
  return { state: 'foreign', message: `${path} is a database, but not one of banger's` };
}

async function readHeader(path: string): Promise<Buffer> {
  const handle = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEADER_BYTES), 0, HEADER_BYTES, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}
