import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createSources } from '../../../src/adapters/sources/sources.ts';
import { AppError } from '../../../src/core/app-error.ts';
import { makeTempDir } from '../../support/temp-dir.ts';
import { failureOf } from './failure-of.ts';
import { type FakeEntry, type FakePackage, integrityOf, makeTarball, startRegistry } from './fake-registry.ts';

const NAME = '@scope/tool';
const VERSION = '1.2.3';
const MANIFEST = { name: 'package/package.json', content: JSON.stringify({ name: NAME, version: VERSION }) };
const PROGRAM = { name: 'package/bin/tool', mode: 0o755, content: '#!/bin/sh\necho tool\n' };

async function setUp(
  facts: { entries?: readonly FakeEntry[]; packages?: readonly FakePackage[]; hold?: Promise<void> } = {},
) {
  const tarball = await makeTarball(facts.entries ?? [MANIFEST, PROGRAM]);
  const registry = await startRegistry(facts.packages ?? [{ name: NAME, version: VERSION, tarball }], facts.hold);
  onTestFinished(() => registry.close());
  vi.stubEnv('npm_config_registry', registry.address);
  onTestFinished(() => void vi.unstubAllEnvs());
  const cacheDir = await makeTempDir();
  const spec = { kind: 'npm', packageName: NAME, version: VERSION, integrity: integrityOf(tarball) } as const;
  return { sources: createSources({ cacheDir }), registry, cacheDir, spec, tarball };
}

const never = new AbortController().signal;
const silent = (): void => undefined;

async function leftovers(cacheDir: string): Promise<string[]> {
  return readdir(join(cacheDir, 'sources'), { recursive: true });
}

test('a package is unpacked once, with its modes; the second time the registry is not asked', async () => {
  const { sources, registry, spec, cacheDir } = await setUp();
  const lines: string[] = [];
  const tree = await sources.fetch(spec, (line) => lines.push(line), never);
  expect(await readFile(join(tree.dir, 'bin/tool'), 'utf8')).toBe(PROGRAM.content);
  expect((await stat(join(tree.dir, 'bin/tool'))).mode & 0o777).toBe(0o755);
  expect((await stat(join(tree.dir, 'package.json'))).mode & 0o777).toBe(0o644);
  expect(tree.pin).toBe(spec.integrity);
  expect(lines[0]).toBe(`fetching ${NAME}@${VERSION} from ${registry.address}`);
  await registry.close();
  // Another instance, as after a restart of the daemon.
  expect(await createSources({ cacheDir }).fetch(spec, silent, never)).toEqual(tree);
  expect((await leftovers(cacheDir)).filter((path) => path.startsWith('tmp-'))).toEqual([]);
});

test('without a pin the integrity that was found is the pin', async () => {
  const { sources, spec, tarball } = await setUp();
  const tree = await sources.fetch({ ...spec, integrity: undefined }, silent, never);
  expect(tree.pin).toBe(integrityOf(tarball));
});

test('a tarball that is not the pinned one is refused, though the registry vouches for it', async () => {
  const { sources, spec, cacheDir } = await setUp();
  const pinned = { ...spec, integrity: integrityOf(Buffer.from('another')) };
  const error = await failureOf(sources.fetch(pinned, silent, never));
  expect(error.code).toBe('SOURCE_UNREACHABLE');
  expect(error.message).toContain('other content than expected: the pin is sha512-');
  expect(await leftovers(cacheDir)).toEqual([]);
});

test('a tarball that is not what the registry claims is refused', async () => {
  const tarball = await makeTarball([MANIFEST]);
  const integrity = integrityOf(Buffer.from('claimed'));
  const { sources, spec, cacheDir } = await setUp({ packages: [{ name: NAME, version: VERSION, tarball, integrity }] });
  const error = await failureOf(sources.fetch({ ...spec, integrity: undefined }, silent, never));
  expect(error.code).toBe('SOURCE_UNREACHABLE');
  expect(error.message).toContain('EINTEGRITY');
  expect(await leftovers(cacheDir)).toEqual([]);
});

test.each<{ name: string; entry: FakeEntry }>([
  { name: 'a path that climbs out', entry: { name: 'package/../../../../escaped', content: 'x' } },
  { name: 'an absolute path', entry: { name: '/package/escaped', content: 'x' } },
  { name: 'a symbolic link', entry: { name: 'package/link', type: 'symlink', linkname: '/etc' } },
  { name: 'a hard link', entry: { name: 'package/link', type: 'link', linkname: '/etc/passwd' } },
  { name: 'a device', entry: { name: 'package/null', type: 'character-device' } },
])('$name in a package is refused, and nothing of the package is kept', async ({ entry }) => {
  const { sources, spec, cacheDir } = await setUp({ entries: [MANIFEST, entry, PROGRAM] });
  const error = await failureOf(sources.fetch(spec, silent, never));
  expect(error.code).toBe('SOURCE_UNREACHABLE');
  expect(error.message).toContain(`holds "${entry.name}`);
  expect(await leftovers(cacheDir)).toEqual([]);
});

test('a registry that cannot be reached: the error names package and address', async () => {
  const { sources, registry, spec, cacheDir } = await setUp();
  await registry.close();
  const error = await failureOf(sources.fetch(spec, silent, never));
  expect(error.code).toBe('SOURCE_UNREACHABLE');
  expect(error.message).toContain(`${NAME}@${VERSION} could not be fetched from ${registry.address}`);
  expect(error.message).toContain('ECONNREFUSED');
  expect(error.details).toMatchObject({ source: `${NAME}@${VERSION}`, address: registry.address });
  expect(error.hint).toContain('--without STEP');
  expect(await leftovers(cacheDir)).toEqual([]);
});

test('a version that does not exist', async () => {
  const { sources, spec } = await setUp();
  const error = await failureOf(sources.fetch({ ...spec, version: '9.9.9', integrity: undefined }, silent, never));
  expect(error.code).toBe('SOURCE_UNREACHABLE');
  expect(error.message).toContain('9.9.9');
});

test('two at once fetch once; the one that is cancelled leaves the other alone', async () => {
  const hold = Promise.withResolvers<void>();
  const { sources, registry, spec } = await setUp({ hold: hold.promise });
  const cancel = new AbortController();
  const reason = new AppError('OPERATION_CANCELLED', 'cancelled');
  const first = failureOf(sources.fetch(spec, silent, cancel.signal));
  const second = sources.fetch(spec, silent, never);
  await vi.waitUntil(() => registry.requests.some((path) => path.endsWith('.tgz')), { timeout: 30_000 });
  cancel.abort(reason);
  expect(await first).toBe(reason);
  hold.resolve();
  expect((await second).pin).toMatch(/^sha512-/);
  expect(registry.requests.filter((path) => path.endsWith('.tgz'))).toHaveLength(1);
});

test('the last one to be cancelled ends npm, and nothing is left', async () => {
  const { sources, registry, spec, cacheDir } = await setUp({ hold: new Promise(() => undefined) });
  const cancel = new AbortController();
  const reason = new AppError('OPERATION_CANCELLED', 'cancelled');
  const fetching = failureOf(sources.fetch(spec, silent, cancel.signal));
  await vi.waitUntil(() => registry.requests.some((path) => path.endsWith('.tgz')), { timeout: 30_000 });
  cancel.abort(reason);
  expect(await fetching).toBe(reason);
  expect(await leftovers(cacheDir)).toEqual([]);
});

test('without npm the error says what is missing', async () => {
  const { sources, spec } = await setUp();
  vi.stubEnv('PATH', '/nonexistent');
  const error = await failureOf(sources.fetch(spec, silent, never));
  expect(error.code).toBe('HOST_TOOL_MISSING');
  expect(error.message).toContain('npm is needed to fetch');
});
