/** Host files as one tar stream, bounded in memory; what a guest's `tar` unpacks below `/`. */
import { open, lstat, readdir, readlink } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type Header, type Pack, pack as createPack } from 'tar-stream';
import { AppError } from '../../core/app-error.ts';
import type { GuestUpload } from '../../core/vms/ports.ts';

/** Read at once from a host's file. */
const READ_BYTES = 256 * 1024;

/** A tar on its way; whoever reads it must close it, read to its end or not. */
export interface UploadStream {
  /** Throws what kept a file from being read: AppError, or the file system's own error. */
  readonly chunks: AsyncIterable<Buffer>;
  /** Lets go of the file that is open. */
  close(): void;
}

/** Single files, with the modes they are to have. @throws AppError REQUEST_INVALID for a bad guest path. */
export function streamUploads(uploads: readonly GuestUpload[]): UploadStream {
  const now = new Date();
  const entries = uploads.map(({ guestPath, mode, source }) => ({
    header: { name: archiveName(guestPath), mode: mode & 0o7777, mtime: now, uid: 0, gid: 0 },
    source,
  }));
  return stream(async (pack) => {
    for (const { header, source } of entries) {
      if ('content' in source) await addContent(pack, header, source.content);
      else await addFile(pack, header, source.hostPath);
    }
  });
}

/**
 * A host folder's whole content; symlinks are sent as such and never followed, sockets and devices are left out.
 *
 * @throws AppError REQUEST_INVALID for a bad guest path.
 */
export function streamTree(hostDir: string, guestDir: string): UploadStream {
  const name = archiveName(guestDir);
  return stream((pack) => addFolder(pack, hostDir, name));
}

function stream(write: (pack: Pack) => Promise<void>): UploadStream {
  const pack = createPack();
  async function* read(): AsyncGenerator<Buffer> {
    const outcome = write(pack).then(
      () => {
        pack.finalize();
        return { ok: true } as const;
      },
      (error: unknown) => {
        pack.destroy();
        return { ok: false, error } as const;
      },
    );
    try {
      yield* pack as AsyncIterable<Buffer>;
    } catch (error) {
      // That the stream was destroyed says nothing; why it was does.
      const written = await outcome;
      throw written.ok ? error : written.error;
    }
  }
  return { chunks: read(), close: () => pack.destroy() };
}

async function addFolder(pack: Pack, hostDir: string, name: string): Promise<void> {
  const stat = await lstat(hostDir);
  pack.entry({ name: `${name}/`, type: 'directory', mode: stat.mode & 0o777, mtime: stat.mtime, uid: 0, gid: 0 });
  for (const entry of await readdir(hostDir, { withFileTypes: true })) {
    const hostPath = join(hostDir, entry.name);
    const entryName = posix.join(name, entry.name);
    // Names are bytes; one that is no UTF-8 was already changed on its way here and would be not found, or wrong.
    if (entry.name.includes('\ufffd')) {
      throw new AppError('REQUEST_INVALID', `${hostPath} has a name that is not UTF-8; it cannot be sent to a guest.`);
    }
    if (entry.isDirectory()) {
      await addFolder(pack, hostPath, entryName);
    } else if (entry.isSymbolicLink()) {
      const linkname = await readlink(hostPath);
      pack.entry({ name: entryName, type: 'symlink', linkname, mode: 0o777, mtime: stat.mtime, uid: 0, gid: 0 });
    } else if (entry.isFile()) {
      const { mode, mtime } = await lstat(hostPath);
      await addFile(pack, { name: entryName, mode: mode & 0o777, mtime, uid: 0, gid: 0 }, hostPath);
    }
  }
}

async function addContent(
  pack: Pack,
  header: Partial<Header> & { readonly name: string },
  content: string | Uint8Array,
): Promise<void> {
  const bytes = Buffer.from(content);
  await pipeline([bytes], pack.entry({ ...header, size: bytes.length }));
}

async function addFile(
  pack: Pack,
  header: Partial<Header> & { readonly name: string },
  hostPath: string,
): Promise<void> {
  const file = await open(hostPath);
  try {
    const { size } = await file.stat();
    const sink = pack.entry({ ...header, size });
    // Exactly what the header promised, even if the file grows meanwhile.
    const source =
      size === 0 ? [] : file.createReadStream({ end: size - 1, highWaterMark: READ_BYTES, autoClose: false });
    await pipeline(source, sink);
  } finally {
    await file.close();
  }
}

/** A guest's absolute path as a name below `/`. */
function archiveName(guestPath: string): string {
  const parts = guestPath.split('/').filter((part) => part !== '');
  if (guestPath.startsWith('/') && parts.length > 0 && !parts.includes('..') && !guestPath.includes('\0')) {
    return parts.filter((part) => part !== '.').join('/');
  }
  throw new AppError('REQUEST_INVALID', `${JSON.stringify(guestPath)} is no absolute path in a guest.`);
}
