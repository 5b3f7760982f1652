/** Reads the config file; every fault is told with its place in the file. */
import { readFile } from 'node:fs/promises';
import { parse, TomlError } from 'smol-toml';
import { type Config, configSchema } from '../contracts/config.ts';
import { readBySchema } from '../contracts/schema-faults.ts';
import { AppError, describe } from '../core/app-error.ts';
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
 * @throws AppError CONFIG_INVALID naming file, line, column and key.
 */
export async function loadConfig(path: string): Promise<Config> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return configSchema.parse({});
    throw new AppError('CONFIG_INVALID', `The config file ${path} cannot be read: ${describe(error)}`, {
      hint: 'Give it a name and a mode that we can read, or remove it.',
      details: { path },
      cause: error,
    });
  }
  return parseConfig(text, path);
}

/** @param path of the file, for the error. @throws AppError CONFIG_INVALID. */
export function parseConfig(text: string, path: string): Config {
  const read = readBySchema(configSchema, parseToml(text, path), 'a table');
  if (read.ok) return read.value;
  throw configInvalid(
    path,
    read.faults.map(({ path: keys, message }) => faultAt(text, keys, message)),
  );
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
