/** `vm cp`: files and folders between host and guest, as tar streams over the connection of `vm exec`. */
import { lstat, realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { hasCode } from '../../host/error-code.ts';
import { ClientError } from '../client-error.ts';
import { askGuest, type GuestAnswer, pipeFromGuest, runInGuest, scriptCommand } from '../guest-command.ts';
import type { Session } from '../session.ts';
import {
  type CopySource,
  type CopyTarget,
  type PathKind,
  planLanding,
  readPath,
  type WrittenPath,
} from './copy-path.ts';
import { measureTree, packTree } from './pack-tree.ts';
import { unpackTree } from './unpack-tree.ts';

export interface GuestPath {
  readonly vmName: string;
  readonly path: string;
}

export interface CopyOptions {
  /** Sends what the source's own link leads to. */
  readonly followLink: boolean;
  /** Told once, when it is known; before or after the first bytes. */
  readonly onTotal: (bytes: number) => void;
  readonly onBytes: (count: number) => void;
  readonly signal: AbortSignal;
}

export interface CopyResult {
  readonly files: number;
  readonly bytes: number;
  /** What has no place on the other side: devices, sockets, pipes. */
  readonly skipped: readonly string[];
  /** What a guest's tar has to say of files that changed while it read them. */
  readonly warnings: readonly string[];
}

/** tar(1), RETURN VALUE: files changed while they were read. */
const CHANGED_STATUS = 1;

/** Folders that are there keep modes and times; a link in the place of a folder is kept, as far as it leads to one. */
const UNPACK = [
  ...['tar', '--extract', '--file=-', '--preserve-permissions', '--no-same-owner', '--no-overwrite-dir'],
  '--keep-directory-symlink',
];
/** Sub-second times; hard links as files of their own, so that none has to be made on the host. */
const PACK = [
  ...['tar', '--create', '--file=-', '--format=posix', '--pax-option=delete=atime,delete=ctime'],
  ...['--hard-dereference', '--warning=no-file-ignored'],
];

/** @throws ClientError COPY_FAILED, those of `startExec`; the file system's own error; the signal's reason. */
export async function copyToGuest(
  session: Session,
  { hostPath, target }: { readonly hostPath: string; readonly target: GuestPath },
  options: CopyOptions,
): Promise<CopyResult> {
  const { signal } = options;
  const source = await hostSource(hostPath, options.followLink);
  const landing = planLanding(source, await guestTarget(session, target, signal));
  const tree = { hostPath: source.real.path, name: landing.name };
  const size = await measureTree(tree);
  options.onTotal(size.bytes);
  const command = [...UNPACK, `--directory=${landing.folder}`];
  const input = packTree(tree, options.onBytes);
  const answer = await runInGuest(
    session,
    { vmName: target.vmName, command, input, onStdout: () => undefined },
    signal,
  );
  if (answer.end.exitStatus !== 0) throw guestFailure('The guest could not write what it was sent', answer);
  return { ...size, warnings: [] };
}

/** @throws as `copyToGuest`. */
export async function copyFromGuest(
  session: Session,
  { source, hostPath }: { readonly source: GuestPath; readonly hostPath: string },
  options: CopyOptions,
): Promise<CopyResult> {
  const { vmName } = source;
  const { written, real, kind, sizeBytes } = await guestSource(session, source, options);
  const landing = planLanding({ written, kind }, await hostTarget(hostPath));
  // What is in a folder, by the one name that every folder has for itself.
  const [folder, top] = written.contentsOnly || real.name === '' ? [real.path, '.'] : [real.parent, real.name];
  const measured = new AbortController();
  let warnings: readonly string[] = [];
  if (kind === 'folder')
    void measureInGuest(session, { vmName, path: real.path }, { ...options, done: measured.signal });
  else options.onTotal(sizeBytes);
  try {
    const unpacked = await pipeFromGuest(
      session,
      { vmName, command: [...PACK, `--directory=${folder}`, '--', top] },
      {
        signal: options.signal,
        read: async (chunks) =>
          unpackTree(chunks, {
            folder: await realpath(landing.folder),
            name: landing.name,
            top,
            onBytes: options.onBytes,
          }),
        judge: (answer) => {
          const { exitStatus } = answer.end;
          if (exitStatus === CHANGED_STATUS) warnings = answer.words.split('\n');
          else if (exitStatus !== 0) throw guestFailure('The guest could not read what it was asked for', answer);
        },
      },
    );
    return { ...unpacked, warnings };
  } finally {
    measured.abort();
  }
}

/** Writes a stream into one file of a guest, which is there only once it is whole. */
export async function streamToGuest(
  session: Session,
  { input, target }: { readonly input: AsyncIterable<Uint8Array>; readonly target: GuestPath },
  signal: AbortSignal,
): Promise<void> {
  const { written, kind, parentIsFolder } = await guestTarget(session, target, signal);
  if (kind === 'folder' || written.mustBeFolder) {
    throw new ClientError('COPY_FAILED', `${written.path} is a folder: a stream needs the name of a file.`);
  }
  if (!parentIsFolder) throw new ClientError('COPY_FAILED', `The folder ${written.parent} does not exist.`);
  const command = await scriptCommand('copy/write-file.sh', written.path);
  const answer = await runInGuest(
    session,
    { vmName: target.vmName, command, input, onStdout: () => undefined },
    signal,
  );
  if (answer.end.exitStatus !== 0) throw guestFailure(`${written.path} could not be written in the guest`, answer);
}

/** Reads one file of a guest as a stream. */
export async function streamFromGuest(
  session: Session,
  { source, write }: { readonly source: GuestPath; readonly write: (data: Uint8Array) => Promise<void> },
  signal: AbortSignal,
): Promise<void> {
  const command = ['cat', '--', source.path];
  const answer = await runInGuest(session, { vmName: source.vmName, command, onStdout: write }, signal);
  if (answer.end.exitStatus !== 0) throw guestFailure(`${source.path} could not be read in the guest`, answer);
}

interface FoundSource extends CopySource {
  /** What is read: the source itself, or what its link leads to. */
  readonly real: WrittenPath;
}

async function hostSource(path: string, followLink: boolean): Promise<FoundSource> {
  const written = readPath(path);
  const own = await hostKind(() => lstat(written.path));
  if (own !== 'link' || !(followLink || written.mustBeFolder)) return { written, real: written, kind: own };
  const kind = await hostKind(() => stat(written.path));
  if (kind === 'absent') throw new ClientError('COPY_FAILED', `${written.path} is a link that leads nowhere.`);
  return { written, real: readPath(await realpath(written.path)), kind };
}

async function hostTarget(path: string): Promise<CopyTarget> {
  const written = readPath(path);
  const kind = await hostKind(() => stat(written.path));
  const parent = await hostKind(() => stat(written.parent));
  return { written, kind, parentIsFolder: parent === 'folder' };
}

async function hostKind(look: () => ReturnType<typeof stat>): Promise<PathKind> {
  try {
    const found = await look();
    if (found.isDirectory()) return 'folder';
    if (found.isFile()) return 'file';
    return found.isSymbolicLink() ? 'link' : 'other';
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return 'absent';
    throw error;
  }
}

async function guestSource(
  session: Session,
  { vmName, path }: GuestPath,
  { followLink, signal }: CopyOptions,
): Promise<FoundSource & { readonly sizeBytes: number }> {
  const written = readPath(path);
  const { own, target, sizeBytes, leadsTo } = await probe(session, { vmName, path: written.path }, signal);
  if (own !== 'link' || !(followLink || written.mustBeFolder)) {
    return { written, real: written, kind: own, sizeBytes: own === 'file' ? sizeBytes : 0 };
  }
  if (target === 'absent') throw new ClientError('COPY_FAILED', `${written.path} is a link that leads nowhere.`);
  return { written, real: readPath(leadsTo), kind: target, sizeBytes };
}

async function guestTarget(session: Session, { vmName, path }: GuestPath, signal: AbortSignal): Promise<CopyTarget> {
  const written = readPath(path);
  const { target, parentIsFolder } = await probe(session, { vmName, path: written.path }, signal);
  return { written, kind: target, parentIsFolder };
}

interface Probe {
  readonly own: PathKind;
  readonly target: PathKind;
  readonly sizeBytes: number;
  readonly parentIsFolder: boolean;
  readonly leadsTo: string;
}

async function probe(session: Session, { vmName, path }: GuestPath, signal: AbortSignal): Promise<Probe> {
  const command = await scriptCommand('copy/probe.sh', path, dirname(path));
  const answer = await askGuest(session, { vmName, command }, signal);
  const kinds = '(absent|folder|file|link|other)';
  const pattern = new RegExp(`^${kinds} ${kinds} (\\d{1,15}) (yes|no)\\n([^]*)$`);
  const [, own, target, size, isFolder, rest = ''] = pattern.exec(answer.stdout) ?? [];
  if (answer.end.exitStatus !== 0 || own === undefined) throw guestFailure(`${path} could not be looked at`, answer);
  return {
    own: own as PathKind,
    target: target as PathKind,
    sizeBytes: Number(size),
    parentIsFolder: isFolder === 'yes',
    leadsTo: rest.startsWith('/') ? rest.replace(/\n$/, '') : path,
  };
}

/** For the progress alone: where the guest does not know it, nobody does. */
async function measureInGuest(
  session: Session,
  { vmName, path }: GuestPath,
  { onTotal, signal, done }: CopyOptions & { readonly done: AbortSignal },
): Promise<void> {
  try {
    const command = ['du', '--summarize', '--bytes', '--', path];
    const answer = await askGuest(session, { vmName, command }, AbortSignal.any([signal, done]));
    const [, bytes] = /^(\d{1,15})\s/.exec(answer.stdout) ?? [];
    if (bytes !== undefined) onTotal(Number(bytes));
  } catch (error) {
    const isOver = signal.aborted || done.aborted || error instanceof ClientError;
    if (!isOver) throw error;
  }
}

function guestFailure(what: string, { end, words }: GuestAnswer): ClientError {
  const how = end.exitStatus === undefined ? `signal ${end.signal}` : `status ${end.exitStatus}`;
  const lines = words.split('\n').filter((line) => line !== '' && !line.includes('Exiting with failure status'));
  const last = lines.at(-1) ?? `it ended with ${how}`;
  return new ClientError('COPY_FAILED', `${what}: ${last}`, {
    ...(lines.length > 1 && { details: { words: lines.slice(-10) } }),
    hint: 'What had been written before stays.',
  });
}
