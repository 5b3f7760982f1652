/** Reads the config file; every fault is told with its place in the file. */
import { readFile } from 'node:fs/promises';
import { parse, TomlError } from 'smol-toml';
import { type Config, configSchema } from '../contracts/config.ts';
import { readBySchema, type SchemaFault } from '../contracts/schema-faults.ts';
import { AppError, describe } from '../core/app-error.ts';
import { hasCode } from '../host/error-code.ts';
import { locateInToml, type TomlPath, type TomlPlace } from './toml-locator.ts';

interface ConfigFault {
  readonly line: number;
  readonly column: number;
  /** `network.cidr`; empty where the text is no TOML. */
  readonly key: string;
  readonly message: string;
}

/**
 * Reads the config; where there is no file every key has its default.
 *
 * @param home the user's: files to be copied into VMs must be below it. Left out, that is not looked at.
 * @throws AppError CONFIG_INVALID naming file, line, column and key.
 */
export async function loadConfig(path: string, home?: string): Promise<Config> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return configSchema.parse({});
    throw new AppError('CONFIG_INVALID', `The config file ${path} cannot be read: ${describe(error)}`, {
      hint: 'Give it a name and a mode that we can read, or remove it.',
      details: { path },
      cause: error,
    });
  }
  return parseConfig(text, path, home);
}

/** @param path of the file, for the error. @throws AppError CONFIG_INVALID. */
export function parseConfig(text: string, path: string, home?: string): Config {
  const read = readBySchema(configSchema, parseToml(text, path), 'a table');
  const faults = read.ok ? outsideHome(read.value, home) : read.faults;
  if (read.ok && faults.length === 0) return read.value;
  throw configInvalid(
    path,
    faults.map(({ path: keys, message }) => faultAt(text, keys, message)),
  );
}

/** By their names; whether a link leads out of it is seen when a file is read. */
function outsideHome({ file_sync: entries }: Config, home: string | undefined): readonly SchemaFault[] {
  if (home === undefined) return [];
  const below = home.endsWith('/') ? home : `${home}/`;
  return entries.flatMap(({ host }, index) => {
    if (host.startsWith('~/') || host.startsWith(below)) return [];
    return [{ path: ['file_sync', index, 'host'], message: `is not below your home, ${home}` }];
  });
}

function parseToml(text: string, path: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    // Its message goes on with a picture of the line.
    const message = (error.message.split('\n')[0] ?? '').replace(/^Invalid TOML document: /, '');
    throw configInvalid(path, [{ line: error.line, column: error.column, key: '', message }]);
  }
}

function faultAt(text: string, path: TomlPath, message: string): ConfigFault {
  const start: TomlPlace = { line: 1, column: 1 };
  return { ...(locateInToml(text, path) ?? start), key: path.join('.'), message };
}

function configInvalid(path: string, faults: readonly ConfigFault[]): AppError {
  const lines = faults.map(
    ({ line, column, key, message }) => `${path}:${line}:${column}: ${key ? `${key}: ` : ''}${message}`,
  );
  return new AppError('CONFIG_INVALID', lines.join('\n'), { details: { path, faults } });
}
