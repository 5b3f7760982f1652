import { readFileSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';

/** The repository's root. */
export const REPOSITORY_ROOT = join(import.meta.dirname, '../..');

export interface SourceFile {
  /** Path from the repository's root: `src/core/undo.ts`. */
  readonly path: string;
  readonly source: string;
}

/** Every TypeScript file below a folder of the repository, sorted by path. */
export function readSourceTree(folder: string): readonly SourceFile[] {
  return walk(join(REPOSITORY_ROOT, folder))
    .filter((path) => path.endsWith('.ts'))
    .map((path) => ({ path: relative(REPOSITORY_ROOT, path), source: readFileSync(path, 'utf8') }))
    .toSorted((one, other) => (one.path < other.path ? -1 : 1));
}

function walk(dir: string): readonly string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return walk(path);
    return entry.isFile() ? [path] : [];
  });
}
