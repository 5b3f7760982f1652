import type { Command } from 'commander';
import type { VmPorts } from '../../contracts/vm-ports.ts';
import { ClientError } from '../../client/client-error.ts';
import type { Cli } from '../cli.ts';
import { EXIT_STATUS } from '../exit-status.ts';
import { PORT_COLUMNS, portRows } from '../port-rows.ts';
import { checkedName } from '../request.ts';

export function vmPorts(command: Command, cli: Cli): void {
  command
    .argument('[names...]', 'the VMs; all that run where left out')
    .addHelpText(
      'after',
      `
Ports that listen on all addresses of a guest, or on its own, appear on the host at the VM's loopback address while they
listen. Ports on the guest's own loopback do not: \`ssh -L\` reaches those.`,
    )
    .action(async (given: readonly string[]) => {
      const names = given.length > 0 ? [...new Set(given.map(checkedName))] : await runningNames(cli);
      const found: VmPorts[] = [];
      for (const name of names) {
        try {
          found.push(await cli.session.call('vmPorts', { params: { name } }));
        } catch (error) {
          await tell(cli, name, { error, asked: given.length > 0 });
        }
      }
      show(cli, found, names);
    });
}

async function runningNames(cli: Cli): Promise<readonly string[]> {
  const vms = await cli.session.call('vmList', {});
  return vms.filter(({ state }) => state === 'running').map(({ name }) => name);
}

/** Of all VMs some may have no agent, or stop this moment: a word about each. One that was asked for by name is a failure. */
async function tell(
  cli: Cli,
  name: string,
  { error, asked }: { readonly error: unknown; readonly asked: boolean },
): Promise<void> {
  const passing = ['AGENT_UNREACHABLE', 'VM_STATE_INVALID', 'VM_NOT_FOUND'];
  if (!asked && error instanceof ClientError && passing.includes(error.code)) {
    cli.output.note(`${name}: ${error.message}`);
    return;
  }
  const { reportError } = await import('../error-report.ts');
  await reportError(cli.output, error);
  cli.exitWith(EXIT_STATUS.failed);
}

function show(cli: Cli, found: readonly VmPorts[], names: readonly string[]): void {
  if (cli.output.json) {
    cli.output.printJson(found);
    return;
  }
  const rows = found.flatMap(portRows);
  if (rows.length > 0) cli.output.printTable(PORT_COLUMNS, rows);
  else if (names.length === 0) cli.output.note('No VM runs.');
  else if (found.length > 0) cli.output.note(`Nothing listens in ${found.map(({ vmName }) => vmName).join(', ')}.`);
  for (const { vmName, truncated } of found) {
    if (truncated) cli.output.note(`${vmName}: more listen than its agent lists.`);
  }
  const unnamed = found.find(({ namesEnabled, ports }) => !namesEnabled && ports.some(({ reachable }) => reachable));
  if (unnamed) {
    const { hostName, hostAddress = '' } = unnamed;
    cli.output.note(
      `This host does not resolve such names yet: \`banger dns enable\`. Until then ${hostName} is ${hostAddress}.`,
    );
  }
}
