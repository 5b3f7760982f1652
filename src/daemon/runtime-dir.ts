import { AppError } from '../core/app-error.ts';
import { ensurePrivateDir, UnsafeDirError } from '../host/private-dir.ts';

/**
 * Makes sure that the folder of sockets and locks is there and ours alone.
 *
 * @throws AppError FOLDER_UNSAFE saying what is wrong with it and what mends it.
 */
export async function ensureRuntimeDir(path: string, uid: number): Promise<void> {
  try {
    await ensurePrivateDir(path, uid);
  } catch (error) {
    if (!(error instanceof UnsafeDirError)) throw error;
    throw new AppError('FOLDER_UNSAFE', error.message, {
      hint: error.fix,
      details: { path: error.path, reason: error.reason },
      cause: error,
    });
  }
}
