/** Packages of the npm registry, through the `npm` client: its own config says which registry, proxy and credentials. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { FetchSpec } from '../../core/builds/ports.ts';
import { type ProcessError, run, type RunOptions } from '../../host/process.ts';
import type { SourceFill } from './source-cache.ts';
import { sourceFailure, type SourceName, unreachable } from './source-failure.ts';
import { PackageInvalid, unpackPackage } from './unpack-package.ts';

type NpmSpec = Extract<FetchSpec, { kind: 'npm' }>;

const DEADLINE_MS = 10 * 60_000;
const REGISTRY_QUESTION_MS = 30_000;

/**
 * Fetches and unpacks one package; its scripts are never run.
 *
 * @returns the tarball's integrity, `sha512-...`.
 * @throws AppError SOURCE_UNREACHABLE, also where the tarball is not the pinned one; HOST_TOOL_MISSING.
 */
export async function fetchNpmPackage(
  spec: NpmSpec,
  target: SourceFill,
  progress: { readonly log: (line: string) => void; readonly signal: AbortSignal },
): Promise<string> {
  const { signal, log } = progress;
  const options: RunOptions = {
    cwd: target.workDir,
    signal,
    // npm keeps its cache and its logs in the user's home; ours go with the work folder.
    env: { npm_config_cache: join(target.workDir, 'cache'), npm_config_update_notifier: 'false', NO_COLOR: '1' },
  };
  let source: SourceName = { what: `${spec.packageName}@${spec.version}`, address: 'the npm registry' };
  try {
    // Without it npm would look for the project, and its settings, in the folders above.
    await writeFile(join(target.workDir, 'package.json'), '{"private":true}\n');
    const registry = await run(['npm', 'config', 'get', 'registry'], { ...options, timeoutMs: REGISTRY_QUESTION_MS });
    source = { ...source, address: withoutCredentials(registry.stdout.trim()) };
    log(`fetching ${source.what} from ${source.address}`);
    const reported = await pack(spec, options);
    const tarball = await onlyTarball(target.workDir, source);
    const integrity = await integrityOf(tarball, signal);
    for (const [whose, expected] of [
      ['npm reports', reported],
      ['the pin is', spec.integrity],
    ] as const) {
      if (expected === undefined || expected === integrity) continue;
      throw unreachable(source, `has other content than expected: ${whose} ${expected}, the file has ${integrity}.`);
    }
    await unpackPackage(tarball, target.treeDir, signal);
    return integrity;
  } catch (error) {
    if (error instanceof PackageInvalid) throw unreachable(source, `from ${source.address} ${error.message}.`, error);
    throw sourceFailure(error, source, signal, npmWords);
  }
}

/** @returns the integrity that npm reports; undefined where its reply has none. */
async function pack(spec: NpmSpec, options: RunOptions): Promise<string | undefined> {
  const packed = await run(
    [
      'npm',
      'pack',
      `${spec.packageName}@${spec.version}`,
      '--json',
      '--ignore-scripts',
      '--pack-destination=.',
      '--loglevel=error',
      '--fetch-retries=2',
      '--fetch-retry-mintimeout=1000',
      '--fetch-retry-maxtimeout=5000',
    ],
    { ...options, timeoutMs: DEADLINE_MS },
  );
  return reportedIntegrity(packed.stdout);
}

function reportedIntegrity(json: string): string | undefined {
  const reply: unknown = JSON.parse(json);
  return stringAt(Array.isArray(reply) ? reply[0] : reply, 'integrity');
}

function stringAt(value: unknown, ...path: readonly string[]): string | undefined {
  const [key, ...rest] = path;
  if (key === undefined) return typeof value === 'string' ? value : undefined;
  if (typeof value !== 'object' || value === null) return undefined;
  return stringAt(Object.getOwnPropertyDescriptor(value, key)?.value, ...rest);
}

/** With `--json` npm says on stdout what went wrong; the end of its stderr is advice. */
function npmWords(error: ProcessError): string | undefined {
  if (error.failure !== 'exit') return undefined;
  try {
    const reply: unknown = JSON.parse(error.stdout);
    const words = stringAt(reply, 'error', 'summary');
    const code = stringAt(reply, 'error', 'code');
    return words && code && !words.includes(code) ? `${words} (${code})` : words;
  } catch (parseError) {
    if (parseError instanceof SyntaxError) return undefined;
    throw parseError;
  }
}

async function onlyTarball(dir: string, source: SourceName): Promise<string> {
  const [name, ...others] = (await readdir(dir)).filter((file) => file.endsWith('.tgz'));
  if (name === undefined || others.length > 0) throw unreachable(source, 'did not come as one tarball.');
  return join(dir, name);
}

async function integrityOf(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha512');
  await pipeline(createReadStream(path), hash, { signal });
  return `sha512-${hash.digest('base64')}`;
}

/** A registry's address can hold a password. */
function withoutCredentials(address: string): string {
  if (!URL.canParse(address)) return 'the npm registry';
  const url = new URL(address);
  url.username = '';
  url.password = '';
  return url.href;
}
