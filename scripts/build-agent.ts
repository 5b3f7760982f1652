/**
 * Makes dist/agent/banger-agent, the program that speaks for a guest: TypeScript, bundled to one module, compiled by
 * QuickJS to bytecode, linked with musl to one static program. Does nothing where the sources' content is that of the
 * last time. The first time it fetches QuickJS's source and compiles it into .cache/, which takes a quarter of a minute.
 *
 * QUICKJS_SRC names a folder with QuickJS's sources, for machines that are no Debian; its content is not checked.
 */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { build } from 'rolldown';
import { packageRoot } from '../src/host/build-id.ts';
import { agentFiles } from '../src/host/paths.ts';
import { ProcessError, run } from '../src/host/process.ts';
import { agentVersion } from './agent/agent-id.ts';
import { buildQuickjs, C_FLAGS, isBuilt, muslGcc, type Quickjs, quickjsAt } from './agent/quickjs-build.ts';
import { BuildProblem, fetchQuickjs, QUICKJS } from './agent/quickjs-source.ts';

const ROOT = packageRoot();
const CACHE = join(ROOT, '.cache');
const FILES = agentFiles(ROOT);
/** It goes into guests of 512 MiB, and into memory there. */
const MAX_BYTES = 1_000_000;
/** As the TypeScript names them, and as the linker knows them. */
const MODULES = { 'qjs:std': 'std', 'qjs:os': 'os', 'qjs:native': 'native' };
const TIMEOUT_MS = 60_000;

const interrupt = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, () => interrupt.abort());
try {
  await main(interrupt.signal);
} catch (error) {
  if (!(error instanceof BuildProblem) && !(error instanceof ProcessError)) throw error;
  process.stderr.write(`agent: ${error.message}\n`);
  process.exitCode = 1;
}

async function main(signal: AbortSignal): Promise<void> {
  const startedAt = performance.now();
  const givenSources = process.env['QUICKJS_SRC'] || undefined;
  const sourceKey = givenSources === undefined ? QUICKJS.sha256 : contentKey(givenSources);
  const version = agentVersion(sourceKey);
  if (fs.existsSync(FILES.program) && readIfThere(FILES.version) === `${version}\n`) {
    process.stdout.write(`agent: up to date (${version})\n`);
    return;
  }
  fs.mkdirSync(CACHE, { recursive: true });
  const work = fs.mkdtempSync(join(CACHE, 'agent-'));
  try {
    const quickjs = await readyQuickjs(givenSources, { sourceKey, work, signal });
    const program = await compile(version, { quickjs, work, signal });
    const { size } = fs.statSync(program);
    if (size > MAX_BYTES) throw new BuildProblem(`it has ${size} bytes, and may have ${MAX_BYTES} at most`);
    publish(program, { version, licence: join(quickjs.dir, 'LICENSE'), work });
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    process.stdout.write(`agent: ${version} made in ${seconds} s, ${Math.round(size / 1000)} KB\n`);
  } finally {
    fs.rmSync(work, { recursive: true, force: true });
  }
}

/** Compiled once for each source and each set of flags. */
async function readyQuickjs(
  givenSources: string | undefined,
  { sourceKey, work, signal }: { readonly sourceKey: string; readonly work: string; readonly signal: AbortSignal },
): Promise<Quickjs> {
  const key = createHash('sha256')
    .update([sourceKey, ...C_FLAGS].join('\0'))
    .digest('hex')
    .slice(0, 12);
  const quickjs = quickjsAt(join(CACHE, `quickjs-${key}`));
  if (isBuilt(quickjs)) return quickjs;
  process.stdout.write('agent: fetching and compiling QuickJS, once\n');
  const sources = givenSources ?? (await fetchQuickjs(work, signal));
  await buildQuickjs(sources, quickjs.dir, signal);
  return quickjs;
}

async function compile(
  version: string,
  { quickjs, work, signal }: { readonly quickjs: Quickjs; readonly work: string; readonly signal: AbortSignal },
): Promise<string> {
  await build({
    cwd: ROOT,
    input: 'guest/agent/main.ts',
    platform: 'neutral',
    external: Object.keys(MODULES),
    tsconfig: 'guest/agent/tsconfig.json',
    transform: { target: 'es2023', define: { AGENT_VERSION: JSON.stringify(version) } },
    output: { file: join(work, 'agent.js'), format: 'esm' },
    logLevel: 'warn',
  });
  const modules = Object.entries(MODULES).flatMap(([name, cName]) => ['-M', `${name},${cName}`]);
  const options = { cwd: work, signal, timeoutMs: TIMEOUT_MS };
  await run([quickjs.compiler, '-m', '-e', ...modules, '-o', 'agent.c', 'agent.js'], options);
  const native = join(ROOT, 'guest', 'agent', 'native.c');
  // Only our own C has to be without a warning.
  const strict = ['-Wall', '-Wextra', '-Werror', '-isystem', quickjs.dir];
  await muslGcc([...C_FLAGS, ...strict, '-c', '-o', 'native.o', native], options);
  const link = ['-s', '-static', '-Wl,--gc-sections', '-I', quickjs.dir, '-o', 'banger-agent'];
  await muslGcc([...C_FLAGS, ...link, 'agent.c', 'native.o', ...quickjs.objects, '-lm'], options);
  const program = join(work, 'banger-agent');
  const said = (await run([program, '--version'], { timeoutMs: TIMEOUT_MS, signal })).stdout.trim();
  if (said !== version) throw new BuildProblem(`it was to be ${version}, and says it is ${said}`);
  return program;
}

/** The program comes last of all but its version, which says that all is there. */
function publish(
  program: string,
  { version, licence, work }: { readonly version: string; readonly licence: string; readonly work: string },
): void {
  fs.mkdirSync(FILES.dir, { recursive: true });
  fs.rmSync(FILES.version, { force: true });
  fs.copyFileSync(licence, FILES.quickjsLicence);
  fs.renameSync(program, FILES.program);
  fs.writeFileSync(join(work, 'version'), `${version}\n`);
  fs.renameSync(join(work, 'version'), FILES.version);
}

/** Names sources by what is in them. @throws BuildProblem where they are none. */
function contentKey(dir: string): string {
  const hash = createHash('sha256');
  const names = fs.existsSync(dir) ? fs.readdirSync(dir).filter((name) => /\.[ch]$|^VERSION$/.test(name)) : [];
  if (!names.includes('quickjs.c')) throw new BuildProblem(`QUICKJS_SRC=${dir} has no quickjs.c`);
  for (const name of names.toSorted()) {
    hash
      .update(`${name}\0`)
      .update(fs.readFileSync(join(dir, name)))
      .update('\0');
  }
  return hash.digest('hex');
}

function readIfThere(path: string): string | undefined {
  return fs.existsSync(path) ? fs.readFileSync(path, 'utf8') : undefined;
}
