import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Folders whose shell scripts are checked. */
const FOLDERS = ['bin', 'scripts', 'guest', '.ci', join('test', 'vm')];

/** Every file with a shell's `#!` line or a name ending in `.sh`, as absolute paths, sorted. */
export function shellScripts(root: string): readonly string[] {
  return FOLDERS.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name)),
  )
    .filter((path) => path.endsWith('.sh') || /^#!.*\b(sh|bash|dash)\b/.test(firstLine(path)))
    .toSorted();
}

function firstLine(path: string): string {
  return readFileSync(path, 'utf8').slice(0, 200).split('\n', 1)[0] ?? '';
}
