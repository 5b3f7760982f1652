/** Root disks as plain files, handled by the host's own tools with nothing mounted and no privileges. */
import type { Disks } from '../../core/vms/ports.ts';
import { allocatedBytes, cloneFile, freeBytes } from './clone.ts';
import { readGuestFile, writeGuestFiles } from './debugfs.ts';
import { digestFile } from './digest.ts';
import { checkExt4, growExt4, inspectExt4, readExt4 } from './ext4.ts';

/** @param options.tempDir takes what is on its way into or out of a filesystem; made 0700 where it is missing. */
export function createDisks(options: { readonly tempDir: string }): Disks {
  const { tempDir } = options;
  return {
    inspect: inspectExt4,
    clone: cloneFile,
    check: checkExt4,
    grow: growExt4,
    digest: digestFile,
    freeBytes,
    allocatedBytes,
    async readFile(path, guestPath) {
      await readExt4(path);
      return readGuestFile(path, guestPath, { tempDir, signal: undefined });
    },
    async writeFiles(path, entries, signal) {
      // Writing past a journal that waits to be replayed would be undone, or worse, by the replay.
      const { superblock } = await readExt4(path);
      if (!superblock.clean) await checkExt4(path, signal);
      await writeGuestFiles(path, entries, { tempDir, signal });
    },
  };
}
