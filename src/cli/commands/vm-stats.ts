import { setTimeout as pause } from 'node:timers/promises';
import type { Command } from 'commander';
import type { Vm, VmStats } from '../../contracts/vm.ts';
import type { Cli } from '../cli.ts';
import { chosenVms } from '../each-vm.ts';
import { watchInterrupts } from '../interrupt.ts';
import { STATS_COLUMNS, statsRow } from '../stats-rows.ts';
import { tableLines } from '../table.ts';

/** Processor use is what was used between two looks. */
const FIRST_LOOK_MS = 1_000;
const LOOK_AGAIN_MS = 2_000;
const CLEAR_SCREEN = '\u001b[H\u001b[2J';

export function vmStats(command: Command, cli: Cli): void {
  command
    .argument('[names...]', 'names, beginnings of ids, or patterns (default: every VM that runs)')
    .option('-w, --watch', 'go on until Ctrl-C; with --json a line for each look')
    .action(async (names: readonly string[], flags: { readonly watch?: boolean }) => {
      const vms = names.length > 0 ? await chosenVms(cli, names) : await runningVms(cli);
      if (vms.length === 0) {
        if (cli.output.json) cli.output.printJson([]);
        else if (names.length === 0) cli.output.note('No VM runs.');
        return;
      }
      using interrupts = watchInterrupts();
      let before = await look(cli, vms);
      await pause(FIRST_LOOK_MS);
      for (;;) {
        const now = await look(cli, vms);
        show(cli, { before, now, watch: flags.watch ?? false });
        before = now;
        if (!flags.watch) return;
        await pause(LOOK_AGAIN_MS, undefined, { signal: interrupts.signal }).catch(() => undefined);
        if (interrupts.signal.aborted) return;
      }
    });
}

async function runningVms(cli: Cli): Promise<readonly Vm[]> {
  return (await cli.session.call('vmList', {})).filter(({ state }) => state === 'running');
}

function look(cli: Cli, vms: readonly Vm[]): Promise<readonly VmStats[]> {
  return Promise.all(vms.map(({ name }) => cli.session.call('vmStats', { params: { name } })));
}

function show(
  cli: Cli,
  looks: { readonly before: readonly VmStats[]; readonly now: readonly VmStats[]; readonly watch: boolean },
): void {
  const { output } = cli;
  if (output.json) {
    if (looks.watch) output.print(JSON.stringify(looks.now));
    else output.printJson(looks.now);
    return;
  }
  const rows = looks.now.map((stats, index) => statsRow(stats, looks.before[index]));
  const lines = tableLines(STATS_COLUMNS, rows, output.width);
  output.print(
    ...(looks.watch && Number.isFinite(output.width) ? [CLEAR_SCREEN + (lines[0] ?? ''), ...lines.slice(1)] : lines),
  );
}
