/**
 * Where fetched trees lie: `KIND/KEY/tree`, with the file `pin` beside it. A folder is filled elsewhere, synced, and
 * appears under its name by one rename: what stands there is whole, even after a power cut.
 */
import { mkdir, mkdtemp, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { FetchedTree } from '../../core/builds/ports.ts';
import { hasCode } from '../../host/error-code.ts';

/** Work folders of a daemon that was killed are swept once they are this old. */
const ABANDONED_AFTER_MS = 24 * 3_600_000;

/** A fetch in progress: fills `treeDir`; `workDir` is for what is not kept. */
export interface SourceFill {
  readonly treeDir: string;
  readonly workDir: string;
}

export class SourceCache {
  readonly #dir: string;

  /** @param dir made when it is first needed. */
  constructor(dir: string) {
    this.#dir = dir;
  }

  /** @param key path below the cache: `git/1a2b...`. @returns undefined where it is not there. */
  async find(key: string): Promise<FetchedTree | undefined> {
    try {
      const pin = (await readFile(join(this.#dir, key, 'pin'), 'utf8')).trim();
      return pin === '' ? undefined : { dir: join(this.#dir, key, 'tree'), pin };
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  /**
   * For a key that `find` does not know.
   *
   * @param fill writes into the tree's folder; returns its exact pin.
   * @throws whatever `fill` throws; nothing of it is left then.
   */
  async add(key: string, fill: (target: SourceFill) => Promise<string>): Promise<FetchedTree> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    await this.#sweep();
    const scratch = await mkdtemp(join(this.#dir, 'tmp-'));
    try {
      const entry = join(scratch, 'entry');
      const target = { treeDir: join(entry, 'tree'), workDir: join(scratch, 'work') };
      await mkdir(target.treeDir, { recursive: true });
      await mkdir(target.workDir);
      const pin = await fill(target);
      await writeFile(join(entry, 'pin'), `${pin}\n`);
      await syncTree(entry);
      const final = join(this.#dir, key);
      await mkdir(dirname(final), { recursive: true });
      // Only what `find` does not take for an entry can stand there.
      await rm(final, { recursive: true, force: true });
      await rename(entry, final);
      await syncPath(dirname(final));
      return { dir: join(final, 'tree'), pin };
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  }

  async #sweep(): Promise<void> {
    for (const name of await readdir(this.#dir)) {
      if (!name.startsWith('tmp-')) continue;
      const path = join(this.#dir, name);
      const { mtimeMs } = await stat(path).catch(goneIsNew);
      if (Date.now() - mtimeMs > ABANDONED_AFTER_MS) await rm(path, { recursive: true, force: true });
    }
  }
}

function goneIsNew(error: unknown): { readonly mtimeMs: number } {
  if (hasCode(error, 'ENOENT')) return { mtimeMs: Infinity };
  throw error;
}

/** fsync of every file and folder, the deepest first. */
async function syncTree(dir: string): Promise<void> {
  for (const entry of await readdir(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) await syncTree(path);
    else if (entry.isFile()) await syncPath(path);
  }
  await syncPath(dir);
}

async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
