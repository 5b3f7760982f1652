/** One append-only file of lines: buffered writes, whole lines only, whatever a crash or a full disk left of it. */
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { hasCode } from '../../host/error-code.ts';

/** Lines wait this long for company before they are written. */
const FLUSH_IDLE_MS = 50;
/** This much is written at once, however recent. */
const FLUSH_BYTES = 64 * 1024;
const CHUNK_BYTES = 64 * 1024;
const NEWLINE = 0x0a;

export class JournalFile {
  readonly #path: string;
  readonly #onFault: (error: unknown) => void;
  #handle: FileHandle | undefined;
  /** Everything before this offset is whole lines, what may lie behind it is overwritten; unknown before the first write. */
  #soundBytes: number | undefined;
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  /** Writes go one after the other. */
  #queue: Promise<void> = Promise.resolve();

  /** @param onFault is told of a write in the background that failed; its lines are kept and tried again. */
  constructor(path: string, onFault: (error: unknown) => void) {
    this.#path = path;
    this.#onFault = onFault;
  }

  /** @param line without its newline. */
  append(line: string): void {
    const bytes = Buffer.from(`${line}\n`);
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
    if (this.#pendingBytes >= FLUSH_BYTES) this.#flushInBackground();
    else this.#timer ??= setTimeout(() => this.#flushInBackground(), FLUSH_IDLE_MS);
  }

  /** Writes everything appended so far. @throws the file system's own error; nothing is lost then. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const flushed = this.#queue.then(() => this.#writePending());
    // The queue only keeps the order: a failure is its own caller's, not the next one's.
    this.#queue = flushed.catch(() => undefined);
    return flushed;
  }

  /** Writes everything, makes it durable and closes the file. */
  async close(): Promise<void> {
    try {
      await this.flush();
      await this.#handle?.datasync();
    } finally {
      await this.#handle?.close();
      this.#handle = undefined;
    }
  }

  #flushInBackground(): void {
    this.flush().catch((error: unknown) => this.#onFault(error));
  }

  async #writePending(): Promise<void> {
    if (this.#pending.length === 0) return;
    const lines = this.#pending;
    this.#pending = [];
    this.#pendingBytes = 0;
    try {
      const handle = (this.#handle ??= await this.#open());
      const bytes = Buffer.concat(lines);
      const position = (this.#soundBytes ??= await cutTornLine(handle));
      await writeFully(handle, bytes, position);
      this.#soundBytes = position + bytes.length;
    } catch (error) {
      this.#pending.unshift(...lines);
      this.#pendingBytes = this.#pending.reduce((sum, line) => sum + line.length, 0);
      throw error;
    }
  }

  async #open(): Promise<FileHandle> {
    await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
    // Not O_APPEND: a write that failed half-way is written again at the same place.
    return open(this.#path, constants.O_RDWR | constants.O_CREAT, 0o600);
  }
}

async function writeFully(handle: FileHandle, bytes: Buffer, position: number): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    const result = await handle.write(bytes, written, bytes.length - written, position + written);
    written += result.bytesWritten;
  }
}

/** Cuts off what a crash left of a line. @returns the file's size then. */
async function cutTornLine(handle: FileHandle): Promise<number> {
  const { size } = await handle.stat();
  const end = await endOfLastLine(handle, size);
  if (end < size) await handle.truncate(end);
  return end;
}

/** Offset after the file's last newline. */
async function endOfLastLine(handle: FileHandle, size: number): Promise<number> {
  const buffer = Buffer.alloc(CHUNK_BYTES);
  let end = size;
  while (end > 0) {
    const start = Math.max(0, end - CHUNK_BYTES);
    const { bytesRead } = await handle.read(buffer, 0, end - start, start);
    const newline = buffer.subarray(0, bytesRead).lastIndexOf(NEWLINE);
    if (newline >= 0) return start + newline + 1;
    end = start;
  }
  return 0;
}

/** The whole lines of a file that may still be growing; none where there is no file. A last line without its newline is left out. */
export async function* readWholeLines(path: string): AsyncGenerator<string, void, undefined> {
  let handle: FileHandle;
  try {
    handle = await open(path, 'r');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return;
    throw error;
  }
  try {
    let rest: Buffer = Buffer.alloc(0);
    for (;;) {
      const { bytesRead, buffer } = await handle.read(Buffer.alloc(CHUNK_BYTES), 0, CHUNK_BYTES, null);
      if (bytesRead === 0) return;
      const bytes = Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
      let start = 0;
      for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
        yield bytes.toString('utf8', start, end);
        start = end + 1;
      }
      rest = bytes.subarray(start);
    }
  } finally {
    await handle.close();
  }
}
