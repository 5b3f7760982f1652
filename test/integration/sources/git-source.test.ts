import { access, appendFile, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createSources } from '../../../src/adapters/sources/sources.ts';
import { AppError } from '../../../src/core/app-error.ts';
import { run } from '../../../src/host/process.ts';
import { makeTempDir } from '../../support/temp-dir.ts';
import { failureOf } from './failure-of.ts';

const never = new AbortController().signal;
const silent = (): void => undefined;
const NO_SUCH_COMMIT = '1'.repeat(40);

async function git(cwd: string, ...args: readonly string[]): Promise<string> {
  const identity = ['-c', 'user.name=t', '-c', 'user.email=t@example.invalid', '-c', 'commit.gpgsign=false'];
  return (await run(['git', ...identity, ...args], { cwd })).stdout.trim();
}

/** A repository of two commits. */
async function makeRepository() {
  const dir = await makeTempDir();
  await git(dir, 'init', '--quiet', '--initial-branch=trunk');
  await writeFile(join(dir, 'plugin.tmux'), '#!/bin/sh\n', { mode: 0o755 });
  await git(dir, 'add', '.');
  await git(dir, 'commit', '--quiet', '-m', 'one');
  const first = await git(dir, 'rev-parse', 'HEAD');
  await appendFile(join(dir, 'plugin.tmux'), 'echo two\n');
  await git(dir, 'commit', '--quiet', '-am', 'two');
  return { dir, url: `file://${dir}`, first, second: await git(dir, 'rev-parse', 'HEAD') };
}

async function setUp() {
  const cacheDir = await makeTempDir();
  return { cacheDir, sources: createSources({ cacheDir }), repository: await makeRepository() };
}

test('a commit is checked out clean, without a trace of where it came from; the second time from the cache', async () => {
  const { sources, repository, cacheDir } = await setUp();
  const spec = { kind: 'git', url: repository.url, commit: repository.first } as const;
  const tree = await sources.fetch(spec, silent, never);
  expect(tree.pin).toBe(repository.first);
  expect(await readFile(join(tree.dir, 'plugin.tmux'), 'utf8')).toBe('#!/bin/sh\n');
  expect(await git(tree.dir, 'status', '--porcelain')).toBe('');
  expect(await git(tree.dir, 'rev-parse', 'HEAD')).toBe(repository.first);
  expect(await git(tree.dir, 'rev-list', '--count', 'HEAD')).toBe('1');
  expect((await run(['grep', '-r', '-F', repository.dir, tree.dir], { okStatuses: [1] })).stdout).toBe('');
  await rm(repository.dir, { recursive: true });
  expect(await createSources({ cacheDir }).fetch(spec, silent, never)).toEqual(tree);
});

test('a server that hands out branches only', async () => {
  const { sources, repository } = await setUp();
  // Protocol 0 refuses a commit that is no branch's end.
  vi.stubEnv('GIT_CONFIG_COUNT', '1');
  vi.stubEnv('GIT_CONFIG_KEY_0', 'protocol.version');
  vi.stubEnv('GIT_CONFIG_VALUE_0', '0');
  onTestFinished(() => void vi.unstubAllEnvs());
  const tree = await sources.fetch({ kind: 'git', url: repository.url, commit: repository.first }, silent, never);
  expect(await git(tree.dir, 'rev-parse', 'HEAD')).toBe(repository.first);
  expect(await git(tree.dir, 'for-each-ref')).toBe('');
  const second = await failureOf(
    sources.fetch({ kind: 'git', url: repository.url, commit: NO_SUCH_COMMIT }, silent, never),
  );
  expect(second.message).toBe(`commit ${NO_SUCH_COMMIT} is not in ${repository.url}.`);
});

test.each([
  { name: 'a commit that is not there', change: { commit: NO_SUCH_COMMIT } },
  { name: 'a repository that is not there', change: { url: 'file:///nonexistent/repository' } },
  { name: 'an address that looks like an option', change: { url: '--upload-pack=touch /tmp/never' } },
])('$name', async ({ change }) => {
  const { sources, repository, cacheDir } = await setUp();
  const spec = { kind: 'git', url: repository.url, commit: repository.first, ...change } as const;
  const error = await failureOf(sources.fetch(spec, silent, never));
  expect(error.code).toBe('SOURCE_UNREACHABLE');
  expect(error.message).toContain(spec.commit);
  expect(error.message).toContain(spec.url);
  expect(error.details).toMatchObject({ address: spec.url });
  expect(await readdir(join(cacheDir, 'sources'))).toEqual([]);
});

test('an address never runs a program', async () => {
  const { sources, repository, cacheDir } = await setUp();
  const proof = join(cacheDir, 'ran');
  const spec = { kind: 'git', url: `ext::sh -c touch% ${proof}`, commit: repository.first } as const;
  const error = await failureOf(sources.fetch(spec, silent, never));
  expect(error.code).toBe('SOURCE_UNREACHABLE');
  expect(error.message).toContain("transport 'ext' not allowed");
  await expect(access(proof)).rejects.toThrow('ENOENT');
});

test('a fetch that is cancelled before it begins makes nothing', async () => {
  const { sources, repository, cacheDir } = await setUp();
  const reason = new AppError('OPERATION_CANCELLED', 'cancelled');
  const spec = { kind: 'git', url: repository.url, commit: repository.first } as const;
  expect(await failureOf(sources.fetch(spec, silent, AbortSignal.abort(reason)))).toBe(reason);
  expect(await readdir(cacheDir)).toEqual([]);
});
