import type { Command } from 'commander';
import { followLines, readTail } from '../../client/log-file.ts';
import type { Cli } from '../cli.ts';
import { watchInterrupts } from '../interrupt.ts';
import { logLine } from '../log-line.ts';
import { integerFlag } from '../request.ts';

export function daemonLogs(command: Command, cli: Cli): void {
  command
    .option('-n, --lines <count>', 'how many of the last lines', '100')
    .option('-f, --follow', 'go on with what is added')
    .action(async (flags: { readonly lines: string; readonly follow?: boolean }) => {
      const path = cli.session.paths.daemonLog;
      const show = (line: string): void => cli.output.print(cli.output.json ? line : logLine(line));
      const tail = await readTail(path, integerFlag('--lines', flags.lines) ?? 0);
      tail.lines.forEach(show);
      if (!flags.follow) return;
      using interrupts = watchInterrupts();
      for await (const line of followLines(path, tail.endBytes, interrupts.signal)) show(line);
    });
}
