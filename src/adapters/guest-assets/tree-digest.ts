import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

/**
 * One digest for a folder's content: each path in order, with its mode and its content or its link's target.
 *
 * @throws the file system's own error; the reason of `signal`.
 */
export async function digestTree(dir: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  for (const path of await walk(dir, '')) {
    signal.throwIfAborted();
    const facts = await lstat(join(dir, path));
    hash.update(`${path}\0${facts.mode.toString(8)}\0`);
    if (facts.isSymbolicLink()) hash.update(await readlink(join(dir, path)));
    else if (facts.isFile()) hash.update(await fileDigest(join(dir, path), signal));
    hash.update('\0');
  }
  return `sha256:${hash.digest('hex')}`;
}

async function walk(root: string, below: string): Promise<string[]> {
  const entries = await readdir(join(root, below), { withFileTypes: true });
  const paths: string[] = [];
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    paths.push(path);
    // A link to a folder is a link: what it leads to is not part of the tree.
    if (entry.isDirectory()) paths.push(...(await walk(root, path)));
  }
  return paths;
}

async function fileDigest(path: string, signal: AbortSignal): Promise<Buffer> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash, { signal });
  return hash.digest();
}
