import { z } from 'zod';
import { ClientError } from '../client/client-error.ts';
import { type Config, configSchema } from '../contracts/config.ts';
import { safeJson } from './terminal-text.ts';

/**
 * A config as lines of a config file that means the same: `network.mode = "isolated"`, each value with its whole key.
 *
 * @param config as the daemon tells it; one of another build may have keys that we do not know.
 * @throws ClientError INTERNAL for such a one.
 */
export function configLines(config: object): readonly string[] {
  const file = z.safeEncode(configSchema, config as Config);
  if (file.success) return entryLines(file.data, '');
  throw new ClientError('INTERNAL', 'The daemon, which is of another build, has a config that we cannot read', {
    hint: 'Run `banger daemon stop`; the next command starts a daemon of this build. Or see it with --json.',
    cause: file.error,
  });
}

function entryLines(table: object, prefix: string): readonly string[] {
  return Object.entries(table).flatMap(([key, value]: [string, unknown]) => {
    if (value === undefined) return [];
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return entryLines(value, `${prefix}${key}.`);
    }
    return [`${prefix}${key} = ${tomlValue(value)}`];
  });
}

/** JSON's strings with every control character escaped are TOML's basic strings (TOML 1.0, "String"). */
function tomlValue(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(tomlValue).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return safeJson(value);
  const entries = Object.entries(value).map(([key, entry]) => `${key} = ${tomlValue(entry)}`);
  return `{ ${entries.join(', ')} }`;
}
