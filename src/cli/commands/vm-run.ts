import type { Command } from 'commander';
import { type CreateVmRequest, type Vm, vmSchema } from '../../contracts/vm.ts';
import { ClientError } from '../../client/client-error.ts';
import { holdLease } from '../../client/lease.ts';
import type { Cli } from '../cli.ts';
import { enterVm } from '../enter-vm.ts';
import { watchOperation } from '../follow-operation.ts';
import { Interrupted, watchInterrupts } from '../interrupt.ts';
import { UsageError } from '../usage-error.ts';
import type { PreparedWorkspace } from '../workspace.ts';
import { addVmFlags, type VmFlags, vmRequest } from '../vm-flags.ts';

interface Flags extends VmFlags {
  readonly rm?: boolean;
  readonly detach?: boolean;
  readonly includeUntracked?: boolean;
  readonly dryRun?: boolean;
}

export function vmRun(command: Command, cli: Cli): void {
  addVmFlags(command)
    .usage('[options] [path] [-- COMMAND...]')
    .argument('[path]', 'a git work tree, or a folder in it: its files and history go along')
    .option('--rm', 'delete the VM afterwards, also when interrupted or killed')
    .option('-d, --detach', 'only start it: neither shell nor command')
    .option('--include-untracked', 'send files too that are neither tracked nor ignored')
    .option('--dry-run', 'only list the files that would go, with their sizes')
    .addHelpText(
      'after',
      `
One word after -- is shell text ('ls | wc -l'); several are a command and its
arguments, taken as they are. The exit status is the command's. With --json the
command's output goes to stderr, and {"vm": ..., "exitStatus": ...} to stdout.

With a path the tracked files of its repository go along as they are in the
work tree, with the history of the current branch, into /root/NAME of the VM,
NAME being the repository's folder; shell or command begins there. Ignored
files, the repository's config, remotes and hooks stay here. What was changed
in the VM is got by \`banger vm export\`.`,
    )
    .action(async (path: string | undefined, flags: Flags) => {
      check(cli, path, flags);
      await using held = new AsyncDisposableStack();
      const workspace = path === undefined ? undefined : await readWorkspace(cli, path, flags);
      if (workspace === 'shown') return;
      if (workspace) held.use(workspace.prepared);
      const ephemeral = flags.rm ?? false;
      const body = vmRequest(flags, { ephemeral, leased: ephemeral, workspace: workspace?.prepared.record });
      const vm = await created(cli, body, held);
      if (!flags.detach) await use(cli, vm, workspace);
      else {
        await bring(vm, workspace);
        if (cli.output.json) cli.output.printJson({ vm });
        else cli.output.print(vm.name);
      }
    });
}

function check(cli: Cli, path: string | undefined, flags: Flags): void {
  if (cli.guestCommand?.length === 0) {
    throw new UsageError('REQUEST_INVALID', 'a command must follow --');
  }
  if (flags.detach && (flags.rm || cli.guestCommand)) {
    throw new UsageError('REQUEST_INVALID', '--detach goes neither with --rm nor with a command', {
      hint: 'Leave --detach out, or run the command by `banger vm ssh NAME -- COMMAND`.',
    });
  }
  if (path === undefined && (flags.includeUntracked || flags.dryRun)) {
    const flag = flags.dryRun ? '--dry-run' : '--include-untracked';
    throw new UsageError('REQUEST_INVALID', `${flag} needs the path of a repository`);
  }
  if (cli.output.json && !flags.detach && !cli.guestCommand && !flags.dryRun) {
    throw new UsageError('REQUEST_INVALID', '--json needs a command after --, or --detach');
  }
}

interface VmWorkspace {
  readonly prepared: PreparedWorkspace;
  readonly startPath: string;
}

/** Everything that can be refused is refused before there is a VM. */
async function readWorkspace(cli: Cli, path: string, flags: Flags): Promise<VmWorkspace | 'shown'> {
  using interrupts = watchInterrupts();
  const { signal } = interrupts;
  const { chooseWorkspace, prepareWorkspace, showWorkspace } = await import('../workspace.ts');
  const chosen = await chooseWorkspace(cli, path, { includeUntracked: flags.includeUntracked ?? false, signal });
  if (flags.dryRun) {
    showWorkspace(cli, chosen);
    return 'shown';
  }
  return { prepared: await prepareWorkspace(cli, chosen, signal), startPath: chosen.startPath };
}

/**
 * Creates the VM and waits until it is ready. An interrupt leaves the creation going on; where the VM is to be
 * deleted afterwards, it cancels it and waits until all is undone. Such a VM lives by a lease that `held` lets go of: when
 * we are killed, it goes too.
 */
async function created(cli: Cli, body: CreateVmRequest, held: AsyncDisposableStack): Promise<Vm> {
  using interrupts = watchInterrupts();
  const operation = await cli.session.call('vmCreate', { body });
  try {
    if (body.leased) held.use(await holdLease(cli.session, operation.target));
    const ended = await watchOperation(cli, operation, interrupts.signal);
    return vmSchema.parse(ended.result);
  } catch (error) {
    if (!(error instanceof Interrupted) || !body.ephemeral) throw error;
    cli.output.note(`Cancelling ${operation.id} ...`);
    await cancelAndWait(cli, operation.id);
    throw new Interrupted(error.signal, [`The creation of ${operation.target} was cancelled.`]);
  }
}

async function cancelAndWait(cli: Cli, id: string): Promise<void> {
  try {
    await cli.session.call('operationCancel', { params: { id } });
  } catch (error) {
    if (!(error instanceof ClientError) || error.code !== 'OPERATION_ENDED') throw error;
  }
  for await (const event of cli.session.operationEvents(id)) {
    // It was just too late to cancel: then there is a VM to delete.
    if (event.type === 'end' && event.operation.state === 'succeeded') {
      await remove(cli, vmSchema.parse(event.operation.result).name);
    }
  }
}

/** Enters the VM; one that is to be deleted afterwards is deleted whatever happens meanwhile. */
async function use(cli: Cli, vm: Vm, workspace: VmWorkspace | undefined): Promise<void> {
  // No signal ends us before the VM is deleted.
  const interrupts = watchInterrupts(2);
  try {
    await bring(vm, workspace, interrupts.signal);
    const stdout = cli.output.json ? 'stderr' : 'stdout';
    const exitStatus = await enterVm(cli, vm.name, { stdout, folder: workspace?.startPath });
    if (cli.output.json) cli.output.printJson({ vm, exitStatus });
    cli.exitWith(exitStatus);
  } finally {
    if (vm.ephemeral) await remove(cli, vm.name);
    else {
      const hints = [`banger vm ssh ${vm.name}`, `banger vm delete ${vm.name}`];
      if (workspace) hints.unshift(`banger vm export ${vm.name}`);
      cli.output.note(`VM ${vm.name} goes on running: ${hints.map((hint) => `\`${hint}\``).join(', ')}.`);
    }
    interrupts[Symbol.dispose]();
  }
}

async function bring(vm: Vm, workspace: VmWorkspace | undefined, signal?: AbortSignal): Promise<void> {
  if (!workspace) return;
  if (signal) return workspace.prepared.bring(vm.name, signal);
  using interrupts = watchInterrupts();
  await workspace.prepared.bring(vm.name, interrupts.signal);
}

/** Deletes the VM and shows nothing of it; the daemon may have been quicker. */
async function remove(cli: Cli, name: string): Promise<void> {
  try {
    const operation = await cli.session.call('vmDelete', { params: { name } });
    for await (const event of cli.session.operationEvents(operation.id)) {
      if (event.type === 'end' && event.operation.error) throw ClientError.fromBody(event.operation.error);
    }
  } catch (error) {
    if (!(error instanceof ClientError) || error.code !== 'VM_NOT_FOUND') throw error;
  }
}
