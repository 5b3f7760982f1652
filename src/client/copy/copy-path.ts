/** What the words of `vm cp` mean, and where things go. Pure. */
import { posix } from 'node:path';
import { ClientError } from '../client-error.ts';

export type CopyEnd =
  | { readonly kind: 'guest'; readonly vmName: string; readonly path: string }
  | { readonly kind: 'host'; readonly path: string }
  /** stdin or stdout. */
  | { readonly kind: 'stream' };

export type PathKind = 'absent' | 'file' | 'folder' | 'link' | 'other';

/** Where a relative path in a guest begins, as with scp. */
const GUEST_HOME = '/root';

/** `NAME:PATH` is in a VM, `-` is a stream, anything else is on the host: `./a:b` is a file with a colon. */
export function parseCopyEnd(text: string): CopyEnd {
  if (text === '-') return { kind: 'stream' };
  const [, vmName, path] = /^([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?):([^]*)$/.exec(text) ?? [];
  if (vmName === undefined || path === undefined) return { kind: 'host', path: text };
  return { kind: 'guest', vmName, path: path.startsWith('/') ? path : `${GUEST_HOME}/${path}` };
}

/** A path as it was written: what it names, and what its end says of how it is meant. */
export interface WrittenPath {
  /** Without slashes or dots at its end; `/` alone. */
  readonly path: string;
  readonly parent: string;
  /** Last name of the path; empty for `/`. */
  readonly name: string;
  /** `folder/.`: what is in it, not itself. */
  readonly contentsOnly: boolean;
  /** `folder/`: it must be one. */
  readonly mustBeFolder: boolean;
}

/** @param path is absolute, and nothing of it was taken away. */
export function readPath(path: string): WrittenPath {
  const clean = posix.normalize(path).replace(/(?!^)\/+$/, '');
  const contentsOnly = /(^|\/)\.$/.test(path) || clean === '/';
  return {
    path: clean,
    parent: posix.dirname(clean),
    name: posix.basename(clean),
    contentsOnly,
    mustBeFolder: contentsOnly || path.endsWith('/'),
  };
}

export interface CopySource {
  readonly written: WrittenPath;
  /** Of what is sent: a link is sent as a link. */
  readonly kind: PathKind;
}

export interface CopyTarget {
  readonly written: WrittenPath;
  /** With links followed. */
  readonly kind: PathKind;
  readonly parentIsFolder: boolean;
}

/** Where a source lands: in `folder`, under `name`; without a name its content does, in the folder itself. */
export interface Landing {
  readonly folder: string;
  readonly name: string | undefined;
}

/**
 * The rules of `docker cp`: into a folder that is there, under its own name; else under the target's name.
 *
 * @throws ClientError COPY_FAILED.
 */
export function planLanding({ written: source, kind }: CopySource, target: CopyTarget): Landing {
  const { written, kind: there, parentIsFolder } = target;
  if (kind === 'absent') throw refuse(`${source.path} does not exist.`);
  if (kind === 'other') throw refuse(`${source.path} is neither a file nor a folder nor a link.`);
  if (source.mustBeFolder && kind !== 'folder') throw refuse(`${source.path} is not a folder.`);
  if (there === 'other') throw refuse(`${written.path} is there and is neither a file nor a folder.`);
  if (there === 'folder') {
    return { folder: written.path, name: kind === 'folder' && source.contentsOnly ? undefined : source.name };
  }
  if (there === 'file' && kind === 'folder') throw refuse(`${written.path} is a file: a folder cannot take its place.`);
  if (written.mustBeFolder && (there === 'file' || kind !== 'folder')) throw refuse(`${written.path} is not a folder.`);
  if (!parentIsFolder) throw refuse(`The folder ${written.parent} does not exist.`);
  return { folder: written.parent, name: written.name };
}

function refuse(message: string): ClientError {
  return new ClientError('COPY_FAILED', message);
}
