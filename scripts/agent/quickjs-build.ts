/** QuickJS compiled once against musl: objects for the agent, and the compiler of its JavaScript. */
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ProcessError, run } from '../../src/host/process.ts';
import { BuildProblem } from './quickjs-source.ts';

/** `-fwrapv`: QuickJS counts on it. */
export const C_FLAGS = ['-Os', '-fwrapv', '-ffunction-sections', '-fdata-sections', '-D_GNU_SOURCE'] as const;

const PARTS = ['quickjs', 'quickjs-libc', 'libregexp', 'libunicode', 'cutils', 'dtoa'] as const;
/** What programs made with it include, and what must go with it. */
const KEPT_FILES = ['quickjs.h', 'quickjs-libc.h', 'LICENSE'] as const;
const COMPILE_TIMEOUT_MS = 10 * 60_000;

export interface Quickjs {
  /** With its headers. */
  readonly dir: string;
  readonly compiler: string;
  readonly objects: readonly string[];
}

/** What a finished build consists of. */
export function quickjsAt(dir: string): Quickjs {
  return { dir, compiler: join(dir, 'qjsc'), objects: PARTS.map((part) => join(dir, `${part}.o`)) };
}

export function isBuilt({ compiler }: Quickjs): boolean {
  return existsSync(compiler);
}

/** Compiles QuickJS into a new folder, which appears whole or not at all. @throws BuildProblem */
export async function buildQuickjs(sources: string, dir: string, signal: AbortSignal): Promise<void> {
  const work = `${dir}.${process.pid}`;
  mkdirSync(work, { recursive: true });
  try {
    const version = readFileSync(join(sources, 'VERSION'), 'utf8').trim();
    const flags = [...C_FLAGS, `-DCONFIG_VERSION="${version}"`];
    const { objects, compiler } = quickjsAt(work);
    // The names of sources are relative: where they lie does not get into the objects.
    const compile = (name: string, object: string): Promise<void> =>
      muslGcc([...flags, '-c', '-o', object, `${name}.c`], { cwd: sources, signal });
    await Promise.all(PARTS.map((part, at) => compile(part, objects[at] ?? '')));
    // It runs on this machine as well as anything: static, and for the same processor.
    await muslGcc([...flags, '-static', '-o', compiler, 'qjsc.c', ...objects, '-lm'], { cwd: sources, signal });
    for (const name of KEPT_FILES) copyFileSync(join(sources, name), join(work, name));
    rmSync(dir, { recursive: true, force: true });
    renameSync(work, dir);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** @throws BuildProblem with the compiler's words. */
export async function muslGcc(
  args: readonly string[],
  options: { readonly cwd: string; readonly signal: AbortSignal },
): Promise<void> {
  try {
    await run(['musl-gcc', ...args], { ...options, timeoutMs: COMPILE_TIMEOUT_MS });
  } catch (error) {
    if (!(error instanceof ProcessError)) throw error;
    const hint = error.failure === 'not-found' ? ' (packages musl-tools and gcc)' : '';
    throw new BuildProblem(`${error.message}${hint}\n${error.stderr}`, { cause: error });
  }
}
