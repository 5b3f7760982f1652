/** Reads the user's files that each new VM gets. */
import { constants } from 'node:fs';
import { open, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { FileSync } from '../../contracts/config.ts';
import { formatSize } from '../../contracts/size.ts';
import { AppError } from '../../core/app-error.ts';
import type { HostFiles } from '../../core/vms/host-files.ts';
import type { DiskFile } from '../../core/vms/ports.ts';
import { hasCode } from '../../host/error-code.ts';

/** Of one file: these are dotfiles, tokens and keys. */
const MAX_FILE_BYTES = 2 ** 20;

export interface HostFilesOptions {
  readonly entries: readonly FileSync[];
  /** The user's home; no file of elsewhere is read. */
  readonly home: string;
  readonly uid: number;
}

export function createHostFiles({ entries, home, uid }: HostFilesOptions): HostFiles {
  return {
    async read() {
      const files: DiskFile[] = [];
      const missing: string[] = [];
      for (const { host, guest, mode } of entries) {
        const path = host.startsWith('~/') ? join(home, host.slice(2)) : host;
        const content = await readOwn(path, { home, uid });
        if (content) files.push({ path: guest.replace(/^~(?=\/)/, '/root'), content, mode });
        else missing.push(host);
      }
      return { files, missing };
    },
  };
}

/** @returns undefined where nothing is there. */
async function readOwn(
  path: string,
  { home, uid }: { readonly home: string; readonly uid: number },
): Promise<Uint8Array | undefined> {
  const real = await realPath(path);
  if (real === undefined) return undefined;
  const realHome = await realPath(home);
  if (realHome === undefined || !real.startsWith(realHome.endsWith(sep) ? realHome : `${realHome}${sep}`)) {
    throw refuse(path, `it leads to ${real}, which is outside the home ${home}`);
  }
  // Not followed, and not waited for, should it have become a link or a pipe since.
  const file = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw refuse(path, 'it is not a file');
    if (stat.uid !== uid) throw refuse(path, `it belongs to uid ${stat.uid}, not to the user of this daemon (${uid})`);
    if (stat.size > MAX_FILE_BYTES) throw refuse(path, `it is larger than ${formatSize(MAX_FILE_BYTES)}`);
    return await file.readFile();
  } finally {
    await file.close();
  }
}

async function realPath(path: string): Promise<string | undefined> {
  try {
    return await realpath(path);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) {
      return undefined;
    }
    throw error;
  }
}

function refuse(path: string, why: string): AppError {
  return new AppError('CONFIG_INVALID', `${path} of [[file_sync]] is not copied into a VM: ${why}.`, {
    hint: 'Mend the file, or take its entry out of the config; `banger config path` tells where that is.',
    details: { path },
  });
}
