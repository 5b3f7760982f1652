import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, describe } from '../../core/app-error.ts';
import type { NumberedEvent, OperationJournal } from '../../core/operations/ports.ts';
import { hasCode } from '../../host/error-code.ts';
import { JournalFile, readWholeLines } from './journal-file.ts';

/** The form of operations' ids: a folder that is called otherwise is somebody's own, and is never listed for removal. */
const OPERATION_ID = /^op-[0-9a-z]{10}$/;

/** Operations' events in `DIR/ID/events.ndjson`, one JSON text a line. */
export class FileOperationJournal implements OperationJournal {
  readonly #dir: string;
  readonly #onFault: (problem: AppError) => void;
  readonly #open = new Map<string, JournalFile>();

  /** @param onFault is told of writes that failed (they are tried again) and of damaged lines that were left out. */
  constructor(dir: string, onFault: (problem: AppError) => void) {
    this.#dir = dir;
    this.#onFault = onFault;
  }

  append(operationId: string, entry: NumberedEvent): void {
    let file = this.#open.get(operationId);
    if (!file) {
      file = new JournalFile(this.#path(operationId), (error) => this.#onFault(journalError(operationId, error)));
      this.#open.set(operationId, file);
    }
    // `sequence` comes first, so that a reader skips lines without parsing them.
    file.append(JSON.stringify({ sequence: entry.sequence, event: entry.event }));
  }

  async *read(operationId: string, after: number): AsyncGenerator<NumberedEvent, void, undefined> {
    try {
      await this.#open.get(operationId)?.flush();
    } catch (error) {
      throw journalError(operationId, error);
    }
    for await (const line of readWholeLines(this.#path(operationId))) {
      const sequence = leadingSequence(line);
      if (sequence !== undefined && sequence <= after) continue;
      const entry = parseEntry(line);
      if (entry) yield entry;
      else
        this.#onFault(
          new AppError('STORE_FAILED', `A damaged line was left out of operation ${operationId}'s journal`),
        );
    }
  }

  async readLog(operationId: string): Promise<string> {
    let text = '';
    for await (const { event } of this.read(operationId, 0)) {
      if (event.type === 'log') text += `[${event.stage}] ${event.line}\n`;
    }
    return text;
  }

  async close(operationId: string): Promise<void> {
    const file = this.#open.get(operationId);
    if (!file) return;
    try {
      await file.close();
    } catch (error) {
      throw journalError(operationId, error);
    }
    this.#open.delete(operationId);
  }

  async remove(operationId: string): Promise<void> {
    await rm(join(this.#dir, operationId), { recursive: true, force: true });
  }

  async list(): Promise<readonly string[]> {
    try {
      const entries = await readdir(this.#dir, { withFileTypes: true });
      return entries.filter((entry) => entry.isDirectory() && OPERATION_ID.test(entry.name)).map(({ name }) => name);
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return [];
      throw error;
    }
  }

  #path(operationId: string): string {
    return join(this.#dir, operationId, 'events.ndjson');
  }
}

function leadingSequence(line: string): number | undefined {
  const digits = /^\{"sequence":(\d+),/.exec(line)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** @returns undefined where the line is damaged. */
function parseEntry(line: string): NumberedEvent | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isEntry(value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Written by ourselves from checked events: its outline is proof enough that the line is whole. */
function isEntry(value: unknown): value is NumberedEvent {
  return (
    typeof value === 'object' &&
    value !== null &&
    'sequence' in value &&
    typeof value.sequence === 'number' &&
    'event' in value &&
    typeof value.event === 'object'
  );
}

function journalError(operationId: string, error: unknown): AppError {
  const isFull = hasCode(error, 'ENOSPC', 'EDQUOT');
  return new AppError(
    isFull ? 'DISK_FULL' : 'STORE_FAILED',
    `The journal of operation ${operationId} could not be written: ${describe(error)}`,
    { details: { operationId }, cause: error },
  );
}
