import type { Command } from 'commander';
import { DOCTOR_TOPICS, type DoctorCheck, type DoctorTopic } from '../../contracts/doctor.ts';
import { runDoctor } from '../../client/doctor.ts';
import type { Cli } from '../cli.ts';
import { EXIT_STATUS } from '../exit-status.ts';
import { visible, wrap } from '../terminal-text.ts';
import { UsageError } from '../usage-error.ts';

export function doctor(command: Command, cli: Cli): void {
  command
    .option('--for <topic>', `only what this needs: ${DOCTOR_TOPICS.join(', ')}`, 'all')
    .option('--probe', 'boot a guest on KVM to see whether it works, whatever is known of it')
    .addHelpText('after', '\nExit status: 0 where the main job can run, 1 where something is missing.')
    .action(async (flags: { readonly for: string; readonly probe?: boolean }) => {
      const topic = DOCTOR_TOPICS.find((known) => known === flags.for);
      if (!topic) {
        const topics = DOCTOR_TOPICS.join(', ');
        throw new UsageError('REQUEST_INVALID', `--for ${JSON.stringify(flags.for)}: give one of ${topics}`);
      }
      await examine(cli, topic, flags.probe ?? false);
    });
}

async function examine(cli: Cli, topic: DoctorTopic, probe: boolean): Promise<void> {
  const report = await runDoctor(topic, { probe });
  if (!report.ok) cli.exitWith(EXIT_STATUS.failed);
  if (cli.output.json) {
    cli.output.printJson(report);
    return;
  }
  const width = Math.max(0, ...report.checks.map(({ name }) => name.length));
  cli.output.print(...report.checks.flatMap((check) => checkLines(check, width, cli.output.width)));
  const failed = report.checks.filter(({ outcome }) => outcome === 'failed').length;
  cli.output.print('', report.ok ? 'This host is ready.' : `${failed} thing(s) to mend.`);
}

/** What mends it is a command: it is not broken, however long it is. */
function checkLines(check: DoctorCheck, nameWidth: number, columns: number): readonly string[] {
  const mark = { ok: 'ok', warning: 'warning', failed: 'FAILED' }[check.outcome];
  const head = `${mark.padEnd(7)}  ${visible(check.name).padEnd(nameWidth)}  `;
  const lines = wrap(visible(check.message), columns - head.length).map(
    (line, index) => (index === 0 ? head : ' '.repeat(head.length)) + line,
  );
  if (check.fix === undefined || check.outcome === 'ok') return lines;
  return [...lines, ...check.fix.split('\n').map((fix) => `${' '.repeat(9)}mend it: ${visible(fix)}`)];
}
