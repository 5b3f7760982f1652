import type { DiskFile } from './ports.ts';

/** Files of the user's that each new VM gets (`file_sync` of the config). Their contents are in no log and no image. */
export interface HostFiles {
  /**
   * @returns what is there, for the guest's disk; and the host paths of what is not.
   * @throws AppError CONFIG_INVALID for a file that must not go into a guest: it is no plain file, is not the user's own,
   * leads out of the user's home, or is too large.
   */
  read(): Promise<{ readonly files: readonly DiskFile[]; readonly missing: readonly string[] }>;
}
