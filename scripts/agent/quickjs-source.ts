/** QuickJS, whose compiler and interpreter the guest agent is made with: Debian 13's source package, pinned. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ProcessError, run } from '../../src/host/process.ts';

/** Debian's own patches change its Makefile only, so the release as it was published is all that is taken. */
export const QUICKJS = {
  version: '2025-04-26',
  suite: 'trixie',
  file: 'quickjs_2025.04.26.orig.tar.xz',
  sha256: 'ec81da5b3249ed648dbc7df4a1654988910e66a118d9b71cb63534216efcfbbe',
} as const;

const FETCH_TIMEOUT_MS = 10 * 60_000;
const ASK_TIMEOUT_MS = 60_000;
/** Debian's own suites, as a source list names them: where they come from, Debian 13 comes from too. */
const DEBIAN_SUITE = /^(bookworm|trixie|forky|sid|oldstable|stable|testing|unstable)$/;

/** What went wrong, in words for whoever runs scripts/setup. */
export class BuildProblem extends Error {
  override readonly name = 'BuildProblem';
}

/**
 * Fetches the source by apt, with lists and a source list of its own below `workDir`: the machine's stay as they are.
 *
 * @returns the folder with QuickJS's sources.
 * @throws BuildProblem where it cannot be had, or is not what was pinned.
 */
export async function fetchQuickjs(workDir: string, signal: AbortSignal): Promise<string> {
  const config = layOutApt(workDir, await debianMirror(signal));
  const downloads = join(workDir, 'downloads');
  mkdirSync(downloads);
  const apt = async (...args: readonly string[]): Promise<void> => {
    const options = { cwd: downloads, env: { APT_CONFIG: config, LC_ALL: 'C' }, timeoutMs: FETCH_TIMEOUT_MS, signal };
    await run(['apt-get', '-q', ...args], options).catch((error: unknown) => {
      if (!(error instanceof ProcessError)) throw error;
      throw new BuildProblem(`Debian's source package quickjs cannot be had: ${error.message}`, { cause: error });
    });
  };
  await apt('update');
  await apt('source', '--download-only', '--tar-only', 'quickjs');
  const archive = join(downloads, QUICKJS.file);
  if (!existsSync(archive)) {
    throw new BuildProblem(`${QUICKJS.file} was expected; Debian has ${readdirSync(downloads).join(', ')}`);
  }
  const found = createHash('sha256').update(readFileSync(archive)).digest('hex');
  if (found !== QUICKJS.sha256) throw new BuildProblem(`${QUICKJS.file} has SHA-256 ${found}, not ${QUICKJS.sha256}`);
  const sources = join(workDir, 'quickjs');
  mkdirSync(sources);
  await run(['tar', '-C', sources, '--strip-components=1', '--no-same-owner', '-xJf', archive], {
    timeoutMs: ASK_TIMEOUT_MS,
    signal,
  });
  return sources;
}

/** @returns the path of an apt configuration that keeps everything below `workDir`. */
function layOutApt(workDir: string, mirror: string): string {
  const aptDir = join(workDir, 'apt');
  mkdirSync(join(aptDir, 'lists', 'partial'), { recursive: true });
  mkdirSync(join(aptDir, 'archives', 'partial'), { recursive: true });
  const sourceList = join(aptDir, 'debian.sources');
  const sources = { Types: 'deb-src', URIs: mirror, Suites: QUICKJS.suite, Components: 'main' };
  const lines = Object.entries(sources).map(([name, value]) => `${name}: ${value}\n`);
  writeFileSync(sourceList, [...lines, 'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n'].join(''));
  const settings = {
    'Dir::State': aptDir,
    'Dir::State::lists': join(aptDir, 'lists'),
    'Dir::State::status': '/dev/null',
    'Dir::Cache': aptDir,
    'Dir::Etc::sourcelist': sourceList,
    'Dir::Etc::sourceparts': '-',
    // The folder may be one that nobody but its owner sees into.
    'APT::Sandbox::User': 'root',
    'Acquire::Languages': 'none',
  };
  const config = join(aptDir, 'apt.conf');
  writeFileSync(
    config,
    Object.entries(settings)
      .map(([name, value]) => `${name} "${value}";\n`)
      .join(''),
  );
  return config;
}

/** The mirror that the machine has its own packages from. @throws BuildProblem on a machine that is no Debian. */
async function debianMirror(signal: AbortSignal): Promise<string> {
  const argv = [
    'apt-get',
    'indextargets',
    '--format',
    '$(RELEASE) $(COMPONENT) $(SITE)',
    'Created-By: Packages',
  ] as const;
  const { stdout } = await run(argv, { timeoutMs: ASK_TIMEOUT_MS, signal }).catch((error: unknown) => {
    if (error instanceof ProcessError && error.failure === 'not-found') return { stdout: '' };
    throw error;
  });
  const targets = stdout.split('\n').map((line) => line.split(' '));
  const mirror = targets.find(([suite = '', component]) => DEBIAN_SUITE.test(suite) && component === 'main')?.[2];
  if (mirror === undefined) throw new BuildProblem("apt's source lists name no mirror of Debian's packages");
  return mirror;
}
