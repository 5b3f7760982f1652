import type { Command } from 'commander';
import { type CreateVmRequest, type Vm, vmSchema } from '../../contracts/vm.ts';
import { ClientError } from '../../client/client-error.ts';
import type { Cli } from '../cli.ts';
import { enterVm } from '../enter-vm.ts';
import { watchOperation } from '../follow-operation.ts';
import { Interrupted, watchInterrupts } from '../interrupt.ts';
import { UsageError } from '../usage-error.ts';
import { addVmFlags, type VmFlags, vmRequest } from '../vm-flags.ts';

interface Flags extends VmFlags {
  readonly rm?: boolean;
  readonly detach?: boolean;
}

export function vmRun(command: Command, cli: Cli): void {
  addVmFlags(command)
    .usage('[options] [-- COMMAND...]')
    .option('--rm', 'delete the VM afterwards, also when interrupted')
    .option('-d, --detach', 'only start it: neither shell nor command')
    .addHelpText(
      'after',
      `
One word after -- is shell text ('ls | wc -l'); several are a command and its arguments, taken as they are.
The exit status is the command's.
With --json the command's output goes to stderr, and {"vm": ..., "exitStatus": ...} to stdout.`,
    )
    .action(async (flags: Flags) => {
      check(cli, flags);
      const body = vmRequest(flags, { ephemeral: flags.rm ?? false });
      const vm = await created(cli, body);
      if (!flags.detach) await use(cli, vm);
      else if (cli.output.json) cli.output.printJson({ vm });
      else cli.output.print(vm.name);
    });
}

function check(cli: Cli, flags: Flags): void {
  if (cli.guestCommand?.length === 0) {
    throw new UsageError('REQUEST_INVALID', 'a command must follow --');
  }
  if (flags.detach && (flags.rm || cli.guestCommand)) {
    throw new UsageError('REQUEST_INVALID', '--detach goes neither with --rm nor with a command', {
      hint: 'Leave --detach out, or run the command by `banger vm ssh NAME -- COMMAND`.',
    });
  }
  if (cli.output.json && !flags.detach && !cli.guestCommand) {
    throw new UsageError('REQUEST_INVALID', '--json needs a command after --, or --detach');
  }
}

/**
 * Creates the VM and waits until it is ready. An interrupt leaves the creation going on; where the VM is to be
 * deleted afterwards, it cancels it and waits until all is undone.
 */
async function created(cli: Cli, body: CreateVmRequest): Promise<Vm> {
  using interrupts = watchInterrupts();
  const operation = await cli.session.call('vmCreate', { body });
  try {
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
async function use(cli: Cli, vm: Vm): Promise<void> {
  // No signal ends us before the VM is deleted.
  const interrupts = watchInterrupts(2);
  try {
    const stdout = cli.output.json ? 'stderr' : 'stdout';
    const exitStatus = await enterVm(cli, vm.name, { stdout });
    if (cli.output.json) cli.output.printJson({ vm, exitStatus });
    cli.exitWith(exitStatus);
  } finally {
    if (vm.ephemeral) await remove(cli, vm.name);
    else {
      cli.output.note(`VM ${vm.name} goes on running: \`banger vm ssh ${vm.name}\`, \`banger vm delete ${vm.name}\`.`);
    }
    interrupts[Symbol.dispose]();
  }
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
