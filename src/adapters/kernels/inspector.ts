import { constants, type Stats } from 'node:fs';
import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import type { ErrorCode } from '../../contracts/errors.ts';
import { AppError } from '../../core/app-error.ts';
import type { KernelInspector } from '../../core/images/ports.ts';
import { errorCode, hasCode } from '../../host/error-code.ts';
import { HEAD_BYTES } from './file-kind.ts';
import { refuseInitrd } from './initrd-format.ts';
import { KERNEL_HEAD_BYTES, recogniseKernel, versionInBanner } from './kernel-format.ts';

const SCAN_CHUNK_BYTES = 1024 * 1024;
/** Longer than any banner; chunks overlap by it. */
const SCAN_OVERLAP_BYTES = 256;
const VERSION_PATTERN = /^\d+\.\d+[\w.+~-]*$/;

/** Looks into kernels, initrds and modules trees by their files alone. */
export function createKernelInspector(): KernelInspector {
  return { inspectKernel, inspectInitrd, inspectModules };
}

async function inspectKernel(path: string): Promise<{ format: 'bzimage' | 'elf'; version: string | undefined }> {
  return withFile(path, 'KERNEL_INVALID', async (file, facts) => {
    const finding = recogniseKernel(await readHead(file, KERNEL_HEAD_BYTES));
    if ('refused' in finding) {
      throw new AppError('KERNEL_INVALID', `${path} is no kernel that can be booted: it is ${finding.refused}.`, {
        ...(finding.hint === undefined ? {} : { hint: finding.hint }),
        details: { path, found: finding.refused },
      });
    }
    if (finding.format === 'elf') return { format: 'elf', version: await findBanner(file) };
    if (facts.size < finding.sizeBytes) {
      throw new AppError(
        'KERNEL_INVALID',
        `${path} is a kernel that was cut off: ${facts.size} of ${finding.sizeBytes} bytes are there.`,
        { hint: 'Copy it again.', details: { path } },
      );
    }
    return { format: 'bzimage', version: finding.version };
  });
}

async function inspectInitrd(path: string): Promise<void> {
  await withFile(path, 'INITRD_INVALID', async (file) => {
    const refused = refuseInitrd(await readHead(file, HEAD_BYTES));
    if (refused === undefined) return;
    throw new AppError('INITRD_INVALID', `${path} is no initial ramdisk: it is ${refused}.`, {
      details: { path, found: refused },
    });
  });
}

/** Named after its version, as below /lib/modules; else an uncompressed module in it tells the version. */
async function inspectModules(dir: string): Promise<string> {
  const entries = await listFolder(dir);
  if (!entries.includes('modules.dep') && !entries.includes('kernel')) {
    throw new AppError('MODULES_INVALID', `${dir} is no modules tree: it holds neither modules.dep nor kernel/.`, {
      details: { path: dir },
    });
  }
  const name = basename(resolve(dir));
  const version = VERSION_PATTERN.test(name) ? name : await versionOfFirstModule(dir);
  if (version !== undefined) return version;
  throw new AppError('MODULES_INVALID', `${dir} does not tell which kernel it is for.`, {
    hint: 'Name the folder after the kernel’s version, as below /lib/modules.',
    details: { path: dir },
  });
}

async function listFolder(dir: string): Promise<string[]> {
  try {
    return await readdir(dir);
  } catch (error) {
    throw new AppError('MODULES_INVALID', `${dir} cannot be read as a folder (${errorCode(error) ?? String(error)}).`, {
      details: { path: dir },
      cause: error,
    });
  }
}

async function versionOfFirstModule(dir: string): Promise<string | undefined> {
  const files = await readdir(join(dir, 'kernel'), { recursive: true }).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  });
  const module = files.find((name) => name.endsWith('.ko'));
  if (module === undefined) return undefined;
  return withFile(join(dir, 'kernel', module), 'MODULES_INVALID', async (file) => {
    const found = await scan(file, (text) => /vermagic=(\d[\w.+~-]*) /.exec(text)?.[1]);
    return found !== undefined && VERSION_PATTERN.test(found) ? found : undefined;
  });
}

function findBanner(file: FileHandle): Promise<string | undefined> {
  return scan(file, versionInBanner);
}

/** Looks through a whole file, chunk by chunk. */
async function scan(file: FileHandle, find: (text: string) => string | undefined): Promise<string | undefined> {
  const chunk = Buffer.alloc(SCAN_CHUNK_BYTES);
  for (let position = 0; ; position += SCAN_CHUNK_BYTES - SCAN_OVERLAP_BYTES) {
    const { bytesRead } = await file.read(chunk, 0, chunk.length, position);
    const found = find(chunk.toString('latin1', 0, bytesRead));
    if (found !== undefined || bytesRead < chunk.length) return found;
  }
}

async function readHead(file: FileHandle, sizeBytes: number): Promise<Uint8Array> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(sizeBytes), 0, sizeBytes, 0);
  return buffer.subarray(0, bytesRead);
}

/** Opens a regular file; anything else, a pipe that would block among them, is refused. */
async function withFile<T>(
  path: string,
  code: ErrorCode,
  work: (file: FileHandle, facts: Stats) => Promise<T>,
): Promise<T> {
  const file = await openRegular(path, code);
  try {
    return await work(file, await file.stat());
  } finally {
    await file.close();
  }
}

async function openRegular(path: string, code: ErrorCode): Promise<FileHandle> {
  try {
    const facts = await stat(path);
    if (facts.isFile()) return await open(path, constants.O_RDONLY);
  } catch (error) {
    throw new AppError(code, `${path} cannot be read (${errorCode(error) ?? String(error)}).`, {
      details: { path },
      cause: error,
    });
  }
  throw new AppError(code, `${path} is no regular file.`, { details: { path } });
}
