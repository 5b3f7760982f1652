import { configSchema } from '../../src/contracts/config.ts';
import { GENERATED_NOTE, code, page, table } from './markdown.ts';
import { type Field, fieldsOf } from './schema-fields.ts';

export function configPage(): string {
  const fields = fieldsOf(configSchema, { lists: 'spread' });
  const groups = Map.groupBy(fields, (field) => field.name.split('.').slice(0, -1).join('.'));
  return page([
    '# The config file',
    GENERATED_NOTE,
    'TOML, at `~/.config/banger/config.toml`, or `config/config.toml` below `BANGER_HOME`; `banger config path` tells where. Every key may be left out. A key that does not exist, or a value that cannot be, is refused with line and column. Sizes are text: `512M`, `8G`, `1.5GiB`. The daemon reads the file when it starts.',
    ...[...groups].flatMap(([group, members]) => [
      group === '' ? '## Keys of the file itself' : `## ${code(headerOf(group))}`,
      table(['key', 'type', 'default', 'meaning'], members.map(row)),
    ]),
  ]);
}

/** `[network]`; `[[file_sync]]` for a table that may come several times. */
function headerOf(group: string): string {
  return group.endsWith('[]') ? `[[${group.slice(0, -2)}]]` : `[${group}]`;
}

function row({ name, type, defaultText, description }: Field): readonly string[] {
  const key = name.split('.').at(-1) ?? name;
  return [code(key), type, defaultText === undefined ? '' : code(defaultText), description];
}
