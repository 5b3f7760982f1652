/** The guest of the suite: the first image of the vm tier's home, with a first program of the suite's own. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Image } from '../../../src/contracts/image.ts';
import { createDisks } from '../../../src/adapters/disks/disks.ts';
import { json } from '../banger.ts';

export interface GuestDisk {
  readonly rootPath: string;
  readonly kernelPath: string;
  readonly initrdPath: string | undefined;
}

/** What starts it in place of systemd. */
export const GUEST_INIT = '/conformance-init';

/** @param dir takes the disk. */
export async function makeGuestDisk(dir: string): Promise<GuestDisk> {
  const signal = new AbortController().signal;
  const { rootfsPath, boot } = await json<Image>(['image', 'show', 'debian']);
  const disks = createDisks({ tempDir: dir });
  const rootPath = join(dir, 'root.ext4');
  await disks.clone(rootfsPath, rootPath, signal);
  const content = readFileSync(join(import.meta.dirname, 'guest-init.sh'));
  await disks.writeFiles(rootPath, { files: [{ path: GUEST_INIT, content, mode: 0o755 }] }, signal);
  return { rootPath, kernelPath: boot.kernelPath, initrdPath: boot.initrdPath };
}
