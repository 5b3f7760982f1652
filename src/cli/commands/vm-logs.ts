import type { Command } from 'commander';
import { followLines, readTail } from '../../client/log-file.ts';
import type { Cli } from '../cli.ts';
import { watchInterrupts } from '../interrupt.ts';
import { checkedName, integerFlag } from '../request.ts';
import { outputLine } from '../terminal-text.ts';

interface Flags {
  readonly lines: string;
  readonly follow?: boolean;
  readonly raw?: boolean;
}

export function vmLogs(command: Command, cli: Cli): void {
  command
    .argument('<name>', 'the VM')
    .option('-n, --lines <count>', 'how many of the last lines', '100')
    .option('-f, --follow', 'go on with what is added, also after a restart of the VM')
    .option('--raw', 'as the guest wrote it: its control characters act on your terminal')
    .addHelpText('after', '\nWith --json each line is a JSON text.')
    .action(async (nameText: string, flags: Flags) => {
      const { consolePath } = await cli.session.call('vmShow', { params: { name: checkedName(nameText) } });
      const show = (line: string): void => cli.output.print(inForm(line, cli, flags.raw ?? false));
      const tail = await readTail(consolePath, integerFlag('--lines', flags.lines) ?? 0);
      tail.lines.forEach(show);
      if (!flags.follow) return;
      using interrupts = watchInterrupts();
      for await (const line of followLines(consolePath, tail.endBytes, interrupts.signal)) show(line);
    });
}

/** A guest may write anything; what would move the cursor or set a title is made visible unless it was asked for. */
function inForm(line: string, cli: Cli, raw: boolean): string {
  if (cli.output.json) return JSON.stringify(outputLine(line));
  return raw ? line.replace(/\r$/, '') : outputLine(line);
}
