/** A repository of the host on its way into a VM: what would go, and its going. */
import { resolve } from 'node:path';
import { formatSize } from '../contracts/size.ts';
import type { Workspace } from '../contracts/workspace.ts';
import { type GuestRepository, isCutShort, makeGuestRepository } from '../client/workspace/guest-repository.ts';
import { openRepository, type Repository } from '../client/workspace/repository.ts';
import { guestFolder, sendWorkspace } from '../client/workspace/send-workspace.ts';
import { listWorkTree, type WorkTree } from '../client/workspace/work-files.ts';
import type { Cli } from './cli.ts';
import { visible } from './terminal-text.ts';
import { transferView } from './transfer-view.ts';

export interface ChosenWorkspace {
  readonly repository: Repository;
  readonly tree: WorkTree;
  /** Its top folder in the guest. */
  readonly guestPath: string;
  /** Where a shell or command begins. */
  readonly startPath: string;
}

/** Looks at a repository; nothing is made. @throws ClientError WORKSPACE_INVALID. */
export async function chooseWorkspace(
  cli: Cli,
  path: string,
  options: { readonly includeUntracked: boolean; readonly signal: AbortSignal },
): Promise<ChosenWorkspace> {
  const repository = await openRepository(resolve(cli.cwd, path), options.signal);
  const tree = await listWorkTree(repository, options);
  const guestPath = guestFolder(repository.top);
  const startPath = repository.within === '' ? guestPath : `${guestPath}/${repository.within}`;
  return { repository, tree, guestPath, startPath };
}

/** What would go. */
export function showWorkspace({ output }: Cli, { repository, tree, guestPath }: ChosenWorkspace): void {
  const totalBytes = tree.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const { head, commits } = repository;
  const isShort = isCutShort(repository);
  const files = tree.files.map(({ path, sizeBytes, isTracked }) => ({ path, sizeBytes, isTracked }));
  if (output.json) {
    const history = { head, commits: isShort ? 1 : commits, isCutShort: isShort };
    const { deleted, submodules } = tree;
    output.printJson({ repository: repository.top, guestPath, files, totalBytes, deleted, submodules, history });
    return;
  }
  output.printTable(
    [{ title: 'SIZE', align: 'right' }, { title: 'FILE', least: 20 }, { title: '' }],
    files.map(({ path, sizeBytes, isTracked }) => [formatSize(sizeBytes), path, isTracked ? '' : 'untracked']),
  );
  output.note(...summaryLines({ repository, tree, guestPath }, totalBytes));
}

function summaryLines(
  { repository, tree, guestPath }: Omit<ChosenWorkspace, 'startPath'>,
  totalBytes: number,
): readonly string[] {
  const { commits, historyBytes, top } = repository;
  const history = isCutShort(repository)
    ? `the last of ${commits} commits (the history has ${formatSize(historyBytes)})`
    : `${counted(commits, 'commit')} (at most ${formatSize(historyBytes)})`;
  return [
    `${counted(tree.files.length, 'file')}, ${formatSize(totalBytes)}, and ${history}: ${visible(top)} to ${visible(guestPath)}`,
    ...submoduleLines(tree),
  ];
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

function submoduleLines({ submodules }: WorkTree): readonly string[] {
  if (submodules.length === 0) return [];
  return [`submodules stay behind: ${submodules.slice(0, 10).map(visible).join(', ')}`];
}

export interface PreparedWorkspace extends AsyncDisposable {
  /** For the VM's record. */
  readonly record: Workspace;
  /** Sends it into a VM that runs. */
  bring(vmName: string, signal: AbortSignal): Promise<void>;
}

/** Makes what is sent, in a folder of ours that goes when it is disposed of. */
export async function prepareWorkspace(
  cli: Cli,
  { repository, tree, guestPath }: ChosenWorkspace,
  signal: AbortSignal,
): Promise<PreparedWorkspace> {
  const made: GuestRepository = await makeGuestRepository(repository, tree, signal);
  return {
    record: { guestPath, base: made.base },
    async bring(vmName, sending) {
      using view = transferView(cli.output, guestPath);
      view.total(tree.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
      const { hasGit } = await sendWorkspace(
        cli.session,
        { vmName, guestPath, repository: made, tree },
        { onBytes: (count) => view.add(count), signal: sending },
      );
      cli.output.note(...submoduleLines(tree));
      if (!hasGit) {
        cli.output.note(
          `${cli.output.colors.yellow('warning:')} the guest has no git: nothing can be committed there, or exported. ` +
            'Build an image with `--package git`.',
        );
      }
    },
    [Symbol.asyncDispose]: () => made[Symbol.asyncDispose](),
  };
}
