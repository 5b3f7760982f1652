/**
 * What debugfs(8) is told, and what its answers mean. Pure.
 *
 * Its command lines are split at blanks; double quotes hold blanks, and nothing can escape a quote or a newline.
 * So names it cannot write are refused, never mended.
 */
import { AppError } from '../../core/app-error.ts';
import type { DiskFile, DiskSymlink } from '../../core/vms/ports.ts';
import { type GuestEntry, GuestTree } from './guest-tree.ts';

/** NAME_MAX and PATH_MAX of Linux, `bytes`. */
const MAX_NAME_BYTES = 255;
const MAX_PATH_BYTES = 4095;

/** Type bits of a regular file (inode(7)): `set_inode_field mode` takes the whole field. */
const REGULAR_FILE = 0o100000;

export interface DiskEntries {
  readonly files: readonly DiskFile[];
  readonly symlinks?: readonly DiskSymlink[];
}

/**
 * Commands that replace files and symlinks; content lies beside the command file, named by `contentName`.
 *
 * debugfs asks for exactness: it does not follow a symlink at the end of a folder's path, and `mkdir` or `symlink`
 * over something that exists damages the filesystem. So the script is made from what `known` says is there.
 * What is replaced is removed first, as an entry: a symlink in the place of a file is never followed.
 *
 * @param known entries that were looked up already.
 * @returns the script, or the paths that must be looked up before it can be made.
 * @throws AppError REQUEST_INVALID where a path, target or mode cannot be told to debugfs; ROOTFS_INVALID where
 * something that is no folder is in the way.
 */
export function planWrites(
  entries: DiskEntries,
  known: ReadonlyMap<string, GuestEntry>,
): { readonly script: string } | { readonly unknown: readonly string[] } {
  const symlinks = entries.symlinks ?? [];
  for (const file of entries.files) assertMode(file);
  for (const { target } of symlinks) assertTarget(target);
  const paths = [...entries.files, ...symlinks].map(({ path }) => path);
  for (const path of paths) quote(path);
  const tree = new GuestTree(known);
  const places = paths.map((path) => tree.place(path));
  if (tree.unknown.length > 0) return { unknown: tree.unknown };

  const lines = tree.missingFolders.map((folder) => `mkdir ${quote(folder)}`);
  const present = new Set<string>();
  for (const [index, place] of places.entries()) {
    const target = quote(place);
    if (tree.has(place) || present.has(place)) lines.push(`rm ${target}`);
    present.add(place);
    const file = entries.files[index];
    if (file) {
      lines.push(`write ${contentName(index)} ${target}`);
      lines.push(`set_inode_field ${target} mode 0${(REGULAR_FILE | file.mode).toString(8)}`);
      // debugfs gives a file the owner its content has on the host.
      lines.push(`set_inode_field ${target} uid 0`, `set_inode_field ${target} gid 0`);
    } else {
      lines.push(`symlink ${target} "${symlinks[index - entries.files.length]?.target ?? ''}"`);
    }
  }
  return { script: `${lines.join('\n')}\n` };
}

/** Name of the file that holds the content of the file with this index; a name debugfs needs no quotes for. */
export function contentName(index: number): string {
  return `content-${index}`;
}

/** Commands that look entries up. */
export function statScript(paths: readonly string[]): string {
  return paths.map((path) => `stat ${quote(path)}\n`).join('');
}

/** What `statScript` printed, for each path it asked for: debugfs repeats every command before its answer. */
export function parseStats(stdout: string, paths: readonly string[]): Map<string, GuestEntry> {
  const found = new Map<string, GuestEntry>();
  let rest = stdout;
  for (const [index, path] of paths.entries()) {
    const next = paths[index + 1];
    rest = rest.slice(rest.indexOf(`debugfs: stat ${quote(path)}\n`));
    const end = next === undefined ? -1 : rest.indexOf(`\ndebugfs: stat ${quote(next)}\n`);
    found.set(path, parseStat(end === -1 ? rest : rest.slice(0, end + 1)));
  }
  return found;
}

/** Reads what one `stat` printed. */
function parseStat(text: string): GuestEntry {
  const type = /^Inode: \d+\s+Type: (\w[\w ]*?)\s+Mode:/m.exec(text)?.[1];
  if (type === undefined) return { type: 'absent' };
  if (type === 'directory') return { type: 'folder' };
  if (type === 'symlink') return { type, target: /^Fast link dest: "(.*)"$/m.exec(text)?.[1] };
  const size = /^User:.*\sSize: (\d+)/m.exec(text)?.[1];
  if (type === 'regular' && size !== undefined) return { type: 'file', sizeBytes: Number(size) };
  return { type: 'other', words: type };
}

/** A guest path as one word of a debugfs command. @throws AppError REQUEST_INVALID where that is impossible. */
export function quote(path: string): string {
  const names = path.split('/').slice(1);
  const wellFormed =
    path.startsWith('/') &&
    Buffer.byteLength(path) <= MAX_PATH_BYTES &&
    isEncodable(path) &&
    names.every((name) => name !== '' && name !== '.' && name !== '..' && Buffer.byteLength(name) <= MAX_NAME_BYTES);
  if (wellFormed) return `"${path}"`;
  throw new AppError(
    'REQUEST_INVALID',
    `The path ${JSON.stringify(path)} cannot be written into an unmounted filesystem.`,
    { hint: 'Use an absolute path without quotes, control characters, "." and "..".' },
  );
}

function assertTarget(target: string): void {
  if (target !== '' && Buffer.byteLength(target) <= MAX_PATH_BYTES && isEncodable(target)) return;
  throw new AppError(
    'REQUEST_INVALID',
    `The symlink target ${JSON.stringify(target)} cannot be written into an unmounted filesystem.`,
    { hint: 'Use a target without quotes and control characters.' },
  );
}

function assertMode(file: DiskFile): void {
  if (Number.isInteger(file.mode) && file.mode >= 0 && file.mode <= 0o7777) return;
  throw new AppError('REQUEST_INVALID', `${file.path} has no usable mode: ${file.mode}`);
}

function isEncodable(text: string): boolean {
  return !/["\p{Cc}\p{Cs}]/u.test(text);
}

/** Lines of debugfs's stderr that mean a failure: it mostly ends with status 0 whatever happened. */
export function failureLines(stderr: string): string[] {
  return stderr.split('\n').filter((line) => line.trim() !== '' && !/^debugfs \d+\.\d+/.test(line));
}
