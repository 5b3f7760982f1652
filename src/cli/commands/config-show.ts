import type { Command } from 'commander';
import type { Cli } from '../cli.ts';
import { visible } from '../terminal-text.ts';

export function configShow(command: Command, cli: Cli): void {
  command.action(async () => {
    const config = await cli.session.call('configShow', {});
    if (cli.output.json) cli.output.printJson(config);
    else cli.output.print(...entryLines(config, ''));
  });
}

/** `network.mode = "isolated"`: each value with its whole key, as TOML writes it. */
function entryLines(table: object, prefix: string): readonly string[] {
  return Object.entries(table).flatMap(([key, value]: [string, unknown]) => {
    if (value === undefined || value === null) return [];
    if (typeof value === 'object' && !Array.isArray(value)) return entryLines(value, `${prefix}${key}.`);
    return [`${visible(prefix + key)} = ${visible(JSON.stringify(value))}`];
  });
}
