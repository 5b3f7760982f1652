/** Files of the host as one tar stream, bounded in memory; what is sent is listed once before, for its size. */
import { constants } from 'node:fs';
import { type FileHandle, lstat, open, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type Pack, pack as createPack } from 'tar-stream';
import { ClientError } from '../client-error.ts';

/** Read at once from a file. */
const READ_BYTES = 256 * 1024;
/** Sent at once, at least. */
const PIECE_BYTES = 64 * 1024;

export interface TreeItem {
  readonly hostPath: string;
  /** In the archive, without a slash at its end. */
  readonly name: string;
  readonly kind: 'folder' | 'file' | 'link' | 'other';
  readonly mode: number;
  readonly sizeBytes: number;
  /** Seconds with nine digits behind the point, as an extended header has it. */
  readonly mtime: string;
}

export interface TreeSource {
  readonly hostPath: string;
  /** Name of the topmost entry in the archive; undefined: only what is in the folder is sent, with names of its own. */
  readonly name: string | undefined;
}

export interface TreeSize {
  readonly files: number;
  readonly bytes: number;
  /** Of devices, sockets and pipes, which are left out. */
  readonly skipped: readonly string[];
}

/** Names that are told; there may be any number. */
const MAX_TOLD = 20;

export async function measureTree(source: TreeSource): Promise<TreeSize> {
  let files = 0;
  let bytes = 0;
  const skipped: string[] = [];
  for await (const item of walk(source)) {
    if (item.kind === 'file' || item.kind === 'link') files += 1;
    if (item.kind === 'file') bytes += item.sizeBytes;
    if (item.kind === 'other' && skipped.length < MAX_TOLD) skipped.push(item.hostPath);
  }
  return { files, bytes, skipped };
}

/**
 * @returns the archive. Symlinks are sent as such and never followed.
 * @throws from the iteration: ClientError COPY_FAILED for a name that is not UTF-8, or a file that becomes shorter
 * meanwhile; the file system's own error.
 */
export function packTree(source: TreeSource, onBytes: (count: number) => void): AsyncGenerator<Buffer> {
  return packItems(walk(source), onBytes);
}

/** As `packTree`, of items that come from several places. */
export async function* packItems(
  items: AsyncIterable<TreeItem>,
  onBytes: (count: number) => void,
): AsyncGenerator<Buffer> {
  const pack = createPack();
  const outcome = write(pack, items, onBytes).then(
    () => {
      pack.finalize();
      return { ok: true } as const;
    },
    (error: unknown) => {
      pack.destroy(error instanceof Error ? error : new Error(String(error)));
      return { ok: false, error } as const;
    },
  );
  try {
    yield* inLargePieces(pack as AsyncIterable<Buffer>);
  } catch (error) {
    // That the stream was destroyed says nothing; why it was does.
    const written = await outcome;
    throw written.ok ? error : written.error;
  } finally {
    pack.destroy(new Error('nobody reads it any more'));
  }
}

/** Headers, and small files with them, would each be a message of its own. */
async function* inLargePieces(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    held.push(chunk);
    size += chunk.length;
    if (size < PIECE_BYTES) continue;
    yield Buffer.concat(held);
    held = [];
    size = 0;
  }
  if (size > 0) yield Buffer.concat(held);
}

async function write(pack: Pack, items: AsyncIterable<TreeItem>, onBytes: (count: number) => void): Promise<void> {
  for await (const item of items) {
    const header = { name: item.name, mode: item.mode, uid: 0, gid: 0, mtime: new Date(Number(item.mtime) * 1000) };
    const pax = { mtime: item.mtime };
    if (item.kind === 'folder') pack.entry({ ...header, pax, name: `${item.name}/`, type: 'directory' });
    else if (item.kind === 'link') {
      pack.entry({ ...header, pax, type: 'symlink', linkname: await readlink(item.hostPath) });
    } else if (item.kind === 'file') {
      await addFile(pack, { ...header, pax }, { hostPath: item.hostPath, onBytes });
    }
  }
}

async function addFile(
  pack: Pack,
  header: Parameters<Pack['entry']>[0],
  { hostPath, onBytes }: { readonly hostPath: string; readonly onBytes: (count: number) => void },
): Promise<void> {
  // Neither followed nor waited for, should it have become a link or a pipe since it was looked at.
  const file = await open(hostPath, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const { size } = await file.stat();
    const sink = pack.entry({ ...header, size });
    await pipeline(read(file, { hostPath, size, onBytes }), sink);
  } finally {
    await file.close();
  }
}

/** Exactly what the header promised, even if the file grows meanwhile. */
async function* read(
  file: FileHandle,
  {
    hostPath,
    size,
    onBytes,
  }: { readonly hostPath: string; readonly size: number; readonly onBytes: (n: number) => void },
): AsyncGenerator<Buffer> {
  for (let left = size; left > 0;) {
    const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, left));
    const { bytesRead } = await file.read(buffer, 0, buffer.length);
    if (bytesRead === 0) throw new ClientError('COPY_FAILED', `${hostPath} became shorter while it was read.`);
    left -= bytesRead;
    onBytes(bytesRead);
    yield buffer.subarray(0, bytesRead);
  }
}

/** A folder's items, each folder before what is in it. */
export async function* walk({ hostPath, name }: TreeSource): AsyncGenerator<TreeItem> {
  if (name !== undefined) {
    const item = await treeItem(hostPath, name);
    yield item;
    if (item.kind !== 'folder') return;
  }
  for (const entry of await readdir(hostPath, { withFileTypes: true })) {
    const path = join(hostPath, entry.name);
    // Names are bytes; one that is no UTF-8 was already changed on its way here and would be not found, or wrong.
    if (entry.name.includes('\ufffd')) {
      throw new ClientError('COPY_FAILED', `${path} has a name that is not UTF-8; it cannot be sent to a guest.`);
    }
    const below = name === undefined ? entry.name : `${name}/${entry.name}`;
    yield* walk({ hostPath: path, name: below });
  }
}

/** @param name in the archive. */
export async function treeItem(hostPath: string, name: string): Promise<TreeItem> {
  const stat = await lstat(hostPath, { bigint: true });
  const kind = stat.isDirectory() ? 'folder' : stat.isFile() ? 'file' : stat.isSymbolicLink() ? 'link' : 'other';
  const seconds = stat.mtimeNs < 0n ? 0n : stat.mtimeNs / 1_000_000_000n;
  const fraction = stat.mtimeNs < 0n ? 0n : stat.mtimeNs % 1_000_000_000n;
  return {
    hostPath,
    name,
    kind,
    mode: Number(stat.mode) & 0o7777,
    sizeBytes: Number(stat.size),
    mtime: `${seconds}.${String(fraction).padStart(9, '0')}`,
  };
}
