import type { Command } from 'commander';
import type { ImageHistory, StepRecord } from '../../contracts/image.ts';
import type { Cli } from '../cli.ts';
import { checkedName } from '../request.ts';
import { formatAge, formatDuration, visible } from '../terminal-text.ts';

export function imageHistory(command: Command, cli: Cli): void {
  command
    .argument('<name>', 'the image')
    .option('--packages', 'list its installed packages too')
    .action(async (name: string, flags: { readonly packages?: boolean }) => {
      const history = await cli.session.call('imageHistory', { params: { name: checkedName(name) } });
      if (cli.output.json) {
        cli.output.printJson(history);
        return;
      }
      cli.output.print(...history.entries.flatMap((entry) => entryLines(entry, Date.now())));
      cli.output.print(
        `${history.packages.length} packages are installed${flags.packages ? ':' : ' (--packages lists them).'}`,
      );
      if (flags.packages) cli.output.print(...history.packages.map((line) => `  ${visible(line)}`));
    });
}

function entryLines(entry: ImageHistory['entries'][number], now: number): readonly string[] {
  const { provenance } = entry;
  const age = entry.createdAt === undefined ? 'no longer registered' : formatAge(entry.createdAt, now);
  const lines = [`${visible(entry.imageName)}  ${visible(entry.digest)}  ${age}`];
  if (!provenance) return [...lines, ''];
  const parameters = Object.entries(provenance.parameters)
    .filter(([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0))
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  lines.push(`  ${provenance.method} by banger ${visible(provenance.bangerVersion)}`);
  if (parameters.length > 0) lines.push(`  ${visible(parameters.join(' '))}`);
  return [...lines, ...provenance.steps.map(stepLine), ''];
}

function stepLine(step: StepRecord): string {
  const inputs = step.inputsDigest.slice(0, 'sha256:'.length + 12);
  return `    ${visible(step.name).padEnd(10)} ${formatDuration(step.durationMs).padStart(12)}  ${step.outcome}  ${inputs}`;
}
