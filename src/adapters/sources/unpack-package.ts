/** Unpacks the tarball of an npm package into a folder, and nothing outside it. */
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';

/** No package that we know comes near; a bomb does. */
const MAX_UNPACKED_BYTES = 2 * 2 ** 30;
const MAX_ENTRIES = 50_000;

/** A tarball that is not what a package can be. */
export class PackageInvalid extends Error {
  override readonly name = 'PackageInvalid';
}

/**
 * The first folder of each name (`package/`) is taken off.
 *
 * @throws PackageInvalid where an entry is a link or a device, would lie outside `dir`, or there is too much of it.
 */
export async function unpackPackage(tarball: string, dir: string, signal: AbortSignal): Promise<void> {
  const entries = extract();
  const feeding = pipeline(createReadStream(tarball), createGunzip(), entries, { signal });
  // Its failure reaches the loop below as the entries' own; here it only must not go unhandled.
  feeding.catch(() => undefined);
  let unpackedBytes = 0;
  let count = 0;
  for await (const entry of entries) {
    const { name, type, size, mode } = entry.header;
    count += 1;
    unpackedBytes += size;
    if (unpackedBytes > MAX_UNPACKED_BYTES || count > MAX_ENTRIES) throw new PackageInvalid('is too large to unpack');
    const path = placeOf(name);
    if (type === 'file' && path !== '') {
      const target = join(dir, path);
      await mkdir(dirname(target), { recursive: true });
      const executable = (mode & 0o111) !== 0;
      await pipeline(entry, createWriteStream(target, { mode: executable ? 0o755 : 0o644 }), { signal });
    } else if (type === 'directory') {
      await mkdir(join(dir, path), { recursive: true });
      entry.resume();
    } else {
      throw new PackageInvalid(`holds "${name}", which is no file and no folder (${type ?? 'unknown'})`);
    }
  }
  await feeding;
}

/** @returns the path below the folder, without the first folder of the name. */
function placeOf(name: string): string {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (posix.isAbsolute(name) || parts.includes('..') || name.includes('\0') || name.includes('\\')) {
    throw new PackageInvalid(`holds "${name}", which would lie outside its folder`);
  }
  return parts.slice(1).join('/');
}
