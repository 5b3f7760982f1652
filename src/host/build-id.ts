/** Which build of banger this is: the CLI and a daemon of the same build bear the same id. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Set by scripts/bundle.ts; not there where the sources run unbuilt. */
declare const BANGER_BUNDLE_ID: string | undefined;

/** The folder with package.json: the same for the bundle, `dist/`, and for the sources. */
export function packageRoot(): string {
  let dir = import.meta.dirname;
  while (!existsSync(join(dir, 'package.json')) && dirname(dir) !== dir) dir = dirname(dir);
  return dir;
}

/** True where this runs from the bundle. */
export function isBundled(): boolean {
  return typeof BANGER_BUNDLE_ID === 'string';
}

/**
 * `bundle-` + 12 hex: hash of the sources' content, fixed when the bundle is made.
 * `dev-` + 12 hex: hash of the sources' paths, sizes and times, computed now.
 */
export function buildId(): string {
  return typeof BANGER_BUNDLE_ID === 'string' ? BANGER_BUNDLE_ID : sourceTreeId(packageRoot());
}

/** Id of the source tree as it lies there; changes with every file written, added, renamed or removed. */
export function sourceTreeId(root: string): string {
  // Loaded here: the bundle, which must start fast, never needs it.
  const hash = process.getBuiltinModule('node:crypto').createHash('sha256');
  for (const path of sourceFiles(root)) {
    const found = statSync(join(root, path), { bigint: true, throwIfNoEntry: false });
    // Removed since it was listed: somebody is at work on the sources this very moment.
    if (found) hash.update(`${path}\0${found.size}\0${found.mtimeNs}\0`);
  }
  return `dev-${hash.digest('hex').slice(0, 12)}`;
}

/** Everything a build is made of, relative to `root`, sorted. bin/banger checks the same with `find`. */
export function sourceFiles(root: string): readonly string[] {
  const found: string[] = ['package.json', 'package-lock.json'].filter((name) => existsSync(join(root, name)));
  const walk = (folder: string): void => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) walk(path);
      else if (entry.isFile()) found.push(path);
    }
  };
  for (const folder of ['src', 'guest']) if (existsSync(join(root, folder))) walk(folder);
  return found.sort();
}
