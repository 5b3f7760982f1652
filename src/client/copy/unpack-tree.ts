/**
 * Writes what a guest sends as a tar stream into a folder of the host, and nothing outside it.
 *
 * Nothing is written through a symlink: each folder on the way is looked at first, files are made beside their place and
 * renamed into it. Folders that are there keep their modes and times, as with cp.
 */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { chmod, type FileHandle, lstat, lutimes, mkdir, open, rename, symlink, unlink, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { extract, type Extract } from 'tar-stream';
import { hasCode } from '../../host/error-code.ts';
import { ClientError } from '../client-error.ts';
import { judgeEntry, type SafeEntry } from './unpack-entry.ts';

export interface UnpackOptions {
  /** A real path of a folder that is there. */
  readonly folder: string;
  /** What the topmost entry is called there; undefined where its content goes into the folder itself. */
  readonly name: string | undefined;
  /** What the guest was asked for: name of the topmost entry. */
  readonly top: string;
  readonly onBytes: (count: number) => void;
}

export interface Unpacked {
  readonly files: number;
  readonly bytes: number;
  /** Of devices and pipes, which were left out. */
  readonly skipped: readonly string[];
}

/** Names that are told; there may be any number. */
const MAX_TOLD = 20;

/** @throws ClientError COPY_FAILED for what must not be unpacked; the file system's own error. */
export async function unpackTree(chunks: AsyncIterable<Uint8Array>, options: UnpackOptions): Promise<Unpacked> {
  const entries = extract();
  let streamFailure: unknown;
  // Its own words; the entry that is being read only says that it was cut off.
  let archiveFailure: unknown;
  entries.on('error', (error) => (archiveFailure ??= error));
  const feeding = feed(chunks, entries).catch((error: unknown) => {
    streamFailure = error;
    entries.destroy(new Error('the stream broke'));
  });
  const tree = new TargetTree(options);
  try {
    for await (const entry of entries) {
      const safe = judgeEntry(entry.header, options.top);
      if ('fault' in safe) throw refuse(`The guest has sent ${safe.fault}.`);
      await tree.add(safe, entry);
      entry.resume();
    }
    await feeding;
  } catch (error) {
    entries.destroy(new Error('not wanted any more'));
    throw streamFailure ?? asCopyFailure(error, archiveFailure);
  }
  await tree.finish();
  return tree.result;
}

async function feed(chunks: AsyncIterable<Uint8Array>, entries: Extract): Promise<void> {
  for await (const chunk of chunks) {
    if (entries.destroying) return;
    if (!entries.write(chunk)) await drained(entries);
  }
  entries.end(null);
}

function drained(entries: Extract): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      entries.off('drain', done);
      entries.off('close', done);
      resolve();
    };
    entries.on('drain', done);
    entries.on('close', done);
  });
}

type Body = Extract extends AsyncIterable<infer Source> ? Source : never;

class TargetTree {
  readonly #options: UnpackOptions;
  /** Folders that were looked at, or made, and are real. */
  readonly #known = new Set<string>();
  /** Folders that were made, with what they are to become: until the end they can be written into. */
  readonly #made: { readonly path: string; readonly mode: number; readonly mtime: number }[] = [];
  readonly #skipped: string[] = [];
  #files = 0;
  #bytes = 0;

  constructor(options: UnpackOptions) {
    this.#options = options;
    this.#known.add(options.folder);
  }

  get result(): Unpacked {
    return { files: this.#files, bytes: this.#bytes, skipped: this.#skipped };
  }

  async add(entry: SafeEntry, body: Body): Promise<void> {
    if (entry.kind === 'skipped') {
      if (this.#skipped.length < MAX_TOLD) this.#skipped.push(`${body.header.name} (${entry.what})`);
      return;
    }
    const { folder, name } = this.#options;
    const parts = name === undefined ? entry.parts : [name, ...entry.parts];
    const last = parts.at(-1);
    if (last === undefined) {
      // The folder itself is there already, and stays as it is.
      if (entry.kind === 'folder') return;
      throw refuse('The guest was asked for a folder and has sent something else.');
    }
    const parent = await this.#folderOf(folder, parts.slice(0, -1));
    const path = join(parent, last);
    switch (entry.kind) {
      case 'folder':
        await this.#addFolder(path, entry);
        break;
      case 'file':
        await this.#addFile(path, entry, body);
        break;
      case 'link':
        await this.#addLink(path, entry);
        break;
    }
    if (entry.kind !== 'folder') this.#files += 1;
  }

  /** Gives folders that were made the modes and times they are to have; the innermost first. */
  async finish(): Promise<void> {
    for (const { path, mode, mtime } of this.#made.toReversed()) {
      await utimes(path, mtime, mtime);
      await chmod(path, mode);
    }
  }

  /** The folder that something lies in, each one on the way being a real folder; what is missing is made. */
  async #folderOf(root: string, parts: readonly string[]): Promise<string> {
    let path = root;
    for (const part of parts) {
      path = join(path, part);
      if (!this.#known.has(path) && !(await this.#isFolder(path))) await this.#makeFolder(path);
    }
    return path;
  }

  async #addFolder(path: string, { mode, mtime }: { readonly mode: number; readonly mtime: number }): Promise<void> {
    if (this.#known.has(path) || (await this.#isFolder(path))) return;
    await this.#makeFolder(path);
    this.#made.push({ path, mode, mtime });
  }

  async #makeFolder(path: string): Promise<void> {
    await mkdir(path, 0o700);
    this.#known.add(path);
  }

  /** @throws ClientError where something else is there, a link to a folder too. */
  async #isFolder(path: string): Promise<boolean> {
    const found = await kindOf(path);
    if (found === 'absent') return false;
    if (found !== 'folder') throw refuse(`${path} is there and is no folder.`);
    this.#known.add(path);
    return true;
  }

  async #addFile(
    path: string,
    { mode, mtime }: { readonly mode: number; readonly mtime: number },
    body: Body,
  ): Promise<void> {
    await assertReplaceable(path);
    const temporary = temporaryBeside(path);
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    const file = await open(temporary, flags, 0o600);
    try {
      try {
        await this.#fill(file, body);
        await file.utimes(mtime, mtime);
        await file.chmod(mode);
      } finally {
        await file.close();
      }
      await rename(temporary, path);
    } catch (error) {
      await removeLeftover(temporary);
      throw error;
    }
  }

  async #fill(file: FileHandle, body: Body): Promise<void> {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      for (let at = 0; at < chunk.length;) at += (await file.write(chunk, at)).bytesWritten;
      this.#bytes += chunk.length;
      this.#options.onBytes(chunk.length);
    }
  }

  async #addLink(path: string, { target, mtime }: { readonly target: string; readonly mtime: number }): Promise<void> {
    await assertReplaceable(path);
    const temporary = temporaryBeside(path);
    await symlink(target, temporary);
    try {
      await lutimes(temporary, mtime, mtime);
      await rename(temporary, path);
    } catch (error) {
      await removeLeftover(temporary);
      throw error;
    }
  }
}

async function kindOf(path: string): Promise<'absent' | 'folder' | 'other'> {
  try {
    return (await lstat(path)).isDirectory() ? 'folder' : 'other';
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return 'absent';
    throw error;
  }
}

async function assertReplaceable(path: string): Promise<void> {
  if ((await kindOf(path)) === 'folder') throw refuse(`${path} is a folder: nothing else can take its place.`);
}

/** A name of at most 255 bytes whatever the file's own is. */
function temporaryBeside(path: string): string {
  return join(dirname(path), `.banger-cp-${randomBytes(6).toString('hex')}`);
}

async function removeLeftover(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
}

function refuse(message: string): ClientError {
  return new ClientError('COPY_FAILED', message, {
    hint: 'What had come before stays. A guest is not trusted: look at what it has sent.',
  });
}

/** What is neither ours nor the system's is tar-stream's. */
function asCopyFailure(error: unknown, archiveFailure: unknown): unknown {
  if (error instanceof ClientError || (error instanceof Error && 'errno' in error)) return error;
  const cause = archiveFailure ?? error;
  const words = cause instanceof Error ? cause.message : String(cause);
  return new ClientError('COPY_FAILED', `The guest has sent what is no tar archive: ${words}`, { cause });
}
