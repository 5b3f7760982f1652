/** The programs that the engine starts: where they are, and that they are what they should be. */
import { realpath } from 'node:fs/promises';
import { AppError } from '../../core/app-error.ts';
import { ProcessError, run } from '../../host/process.ts';
import { findProgram } from '../../host/search-path.ts';
import { type FirecrackerVersion, parseVersion, versionRefusal } from './version.ts';

const VERSION_TIMEOUT_MS = 10_000;
const INSTALL_HINT =
  'Get a release from https://github.com/firecracker-microvm/firecracker/releases and set `firecracker_bin` and `jailer_bin` in the config file.';

export interface Program {
  /** Without symbolic links. */
  readonly path: string;
  readonly version: FirecrackerVersion;
}

/**
 * @param wanted a path, or a name that is looked up on PATH.
 * @throws AppError ENGINE_UNAVAILABLE where it is not there, cannot be run, is another program, or is too old.
 */
export async function lookAtFirecracker(wanted: string): Promise<Program> {
  const program = await lookAt(wanted, { name: 'Firecracker', key: 'firecracker_bin' });
  const refusal = versionRefusal(program.version);
  if (refusal !== undefined) throw new AppError('ENGINE_UNAVAILABLE', refusal, { hint: INSTALL_HINT });
  return program;
}

/** @throws AppError ENGINE_UNAVAILABLE as `lookAtFirecracker`. */
export async function lookAtJailer(wanted: string): Promise<Program> {
  return lookAt(wanted, { name: 'Jailer', key: 'jailer_bin' });
}

async function lookAt(
  wanted: string,
  { name, key }: { readonly name: 'Firecracker' | 'Jailer'; readonly key: string },
): Promise<Program> {
  const found = await findProgram(wanted);
  if (found === undefined) {
    throw new AppError('ENGINE_UNAVAILABLE', `There is no program ${wanted}.`, { hint: INSTALL_HINT });
  }
  const path = await realpath(found);
  const hint = `Check \`${key}\` in the config file.`;
  let printed: string;
  try {
    printed = (await run([path, '--version'], { timeoutMs: VERSION_TIMEOUT_MS, maxOutputBytes: 4096 })).stdout;
  } catch (error) {
    if (!(error instanceof ProcessError)) throw error;
    throw new AppError('ENGINE_UNAVAILABLE', `${name} cannot be used: ${error.message}`, { hint, cause: error });
  }
  const version = printed.startsWith(`${name} v`) ? parseVersion(printed) : undefined;
  if (version) return { path, version };
  throw new AppError('ENGINE_UNAVAILABLE', `${path} is not what is wanted: it does not call itself "${name} v1.2.3".`, {
    hint,
  });
}
