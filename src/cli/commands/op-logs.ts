import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { EXIT_STATUS } from '../exit-status.ts';
import { watchInterrupts } from '../interrupt.ts';
import { checkedOperationId } from '../request.ts';
import { plainLine } from '../stage-lines.ts';
import { outputLine } from '../terminal-text.ts';

export function opLogs(command: Command, cli: Cli): void {
  command
    .argument('<id>', 'the operation')
    .option('-f, --follow', 'go on until it ends; the exit status tells how')
    .addHelpText('after', '\nWith --json: its events, one JSON object a line.')
    .action(async (idText: string, flags: { readonly follow?: boolean }) => {
      const id = checkedOperationId(idText);
      if (flags.follow || cli.output.json) await follow(cli, id, flags.follow ?? false);
      else {
        const log = await cli.session.operationLog(id);
        if (log) cli.output.print(...log.trimEnd().split('\n').map(outputLine));
      }
    });
}

async function follow(cli: Cli, id: string, toTheEnd: boolean): Promise<void> {
  using interrupts = watchInterrupts();
  // Without --follow what has happened so far is wanted: up to the last event that is there now.
  const { state } = await cli.session.call('operationShow', { params: { id } });
  if (!toTheEnd && state === 'running') {
    const log = await cli.session.operationLog(id);
    cli.output.print(
      ...log
        .trimEnd()
        .split('\n')
        .map((line) => JSON.stringify({ type: 'log', line })),
    );
    return;
  }
  for await (const event of cli.session.operationEvents(id, interrupts.signal)) {
    const line = cli.output.json ? JSON.stringify(event) : plainLine(event);
    if (line !== undefined) cli.output.print(line);
    if (event.type === 'end' && event.operation.state !== 'succeeded') {
      if (!cli.output.json)
        cli.output.print(`${event.operation.state}: ${outputLine(event.operation.error?.message ?? '')}`);
      if (toTheEnd) cli.exitWith(EXIT_STATUS.failed);
    }
  }
}
