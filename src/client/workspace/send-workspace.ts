/** Brings a repository into a VM. */
import { basename } from 'node:path';
import { packItems, type TreeItem, treeItem, walk } from '../copy/pack-tree.ts';
import { ClientError } from '../client-error.ts';
import { askGuest, runInGuest, scriptCommand } from '../guest-command.ts';
import type { Session } from '../session.ts';
import type { GuestRepository } from './guest-repository.ts';
import type { WorkTree } from './work-files.ts';

/** Longest name of a folder on Linux, `bytes`. */
const MAX_NAME_BYTES = 255;

/**
 * Where a repository goes in a guest: below root's home, under its folder's name. A name that begins with a dot could be
 * one of the home's own (`.ssh`).
 */
export function guestFolder(top: string): string {
  const name = basename(top)
    .replaceAll(/\p{Cc}/gu, '-')
    .replace(/^\.+/, '');
  return `/root/${name === '' || Buffer.byteLength(name) > MAX_NAME_BYTES ? 'workspace' : name}`;
}

export interface WorkspaceTransfer {
  readonly vmName: string;
  readonly guestPath: string;
  readonly repository: Pick<GuestRepository, 'gitDir'>;
  readonly tree: Pick<WorkTree, 'files'>;
}

export interface TransferOptions {
  readonly onBytes: (count: number) => void;
  readonly signal: AbortSignal;
}

/**
 * Sends files and history as one stream.
 *
 * @returns whether the guest has git to go on with.
 * @throws ClientError WORKSPACE_INVALID where the guest does not take it; those of `startExec`.
 */
export async function sendWorkspace(
  session: Session,
  { vmName, guestPath, repository, tree }: WorkspaceTransfer,
  { onBytes, signal }: TransferOptions,
): Promise<{ readonly hasGit: boolean }> {
  const command = await scriptCommand('workspace/receive.sh', guestPath);
  const received = await askGuest(session, { vmName, command }, signal);
  if (received.end.exitStatus !== 0) throw refused(guestPath, received.words);
  const sent = await runInGuest(
    session,
    {
      vmName,
      command: [
        'tar',
        '--extract',
        '--file=-',
        `--directory=${guestPath}`,
        '--preserve-permissions',
        '--no-same-owner',
      ],
      input: packItems(items({ repository, tree }), onBytes),
      onStdout: () => undefined,
    },
    signal,
  );
  if (sent.end.exitStatus !== 0) throw refused(guestPath, sent.words);
  return { hasGit: received.stdout.trim() === 'git' };
}

async function* items({
  repository,
  tree,
}: Pick<WorkspaceTransfer, 'repository' | 'tree'>): AsyncGenerator<TreeItem, void, undefined> {
  yield* walk({ hostPath: repository.gitDir, name: '.git' });
  for (const { hostPath, path } of tree.files) yield await treeItem(hostPath, path);
}

function refused(guestPath: string, words: string): ClientError {
  const lines = words.split('\n').filter((line) => line !== '' && !line.includes('Exiting with failure status'));
  return new ClientError(
    'WORKSPACE_INVALID',
    `The guest could not take ${guestPath}: ${lines.at(-1) ?? 'no reason given'}`,
    {
      hint: 'Its disk may be full (--disk), or its image may have that folder already.',
    },
  );
}
