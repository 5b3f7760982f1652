import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { operationDuration } from '../operation-lines.ts';
import { formatAge } from '../terminal-text.ts';

export function opList(command: Command, cli: Cli): void {
  command.action(async () => {
    const operations = await cli.session.call('operationList', {});
    if (cli.output.json) {
      cli.output.printJson(operations);
      return;
    }
    if (operations.length === 0) {
      cli.output.note('No operations yet.');
      return;
    }
    const now = Date.now();
    cli.output.printTable(
      [
        { title: 'ID' },
        { title: 'KIND' },
        { title: 'TARGET', least: 12 },
        { title: 'STATE' },
        { title: 'STARTED' },
        { title: 'TOOK', align: 'right', leaveOut: 1 },
        { title: 'ERROR', leaveOut: 2 },
      ],
      operations.map((operation) => [
        operation.id,
        operation.kind,
        operation.target,
        operation.state,
        formatAge(operation.createdAt, now),
        operationDuration(operation, now),
        operation.error?.code ?? '',
      ]),
    );
  });
}
