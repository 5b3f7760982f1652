/** How the agent's build gets QuickJS, with a program in the place of apt that tells what it was asked. */
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { BuildProblem, fetchQuickjs, QUICKJS } from '../../../scripts/agent/quickjs-source.ts';
import { makeTempDir } from '../../support/temp-dir.ts';

const never = new AbortController().signal;
const TARGETS = 'bookworm-security main http://security.example\nbookworm main http://mirror.example/debian\n';

let dir: string;
let work: string;

beforeEach(async () => {
  dir = await makeTempDir();
  work = join(dir, 'work');
  await mkdir(work);
  await mkdir(join(dir, 'bin'));
  vi.stubEnv('PATH', `${join(dir, 'bin')}:${process.env['PATH'] ?? ''}`);
});

afterEach(() => {
  vi.unstubAllEnvs();
});

/** @param targets what it says of the machine's source lists; @param body what it does as `source`. */
async function fakeApt(targets: string, body: string): Promise<void> {
  const path = join(dir, 'bin', 'apt-get');
  await writeFile(join(dir, 'targets'), targets);
  const script = [
    '#!/bin/sh',
    `printf '%s in %s\\n' "$*" "$PWD" >>"${dir}/calls"`,
    `case "$*" in`,
    `  indextargets*) cat "${dir}/targets" ;;`,
    `  *update*) cp "$APT_CONFIG" "${dir}/config"; cat "${work}"/apt/*.sources >"${dir}/sources" ;;`,
    `  *) ${body} ;;`,
    'esac',
  ];
  await writeFile(path, `${script.join('\n')}\n`);
  await chmod(path, 0o700);
}

test('from the mirror that the machine knows, with nothing of the machine’s apt written', async () => {
  await fakeApt(TARGETS, 'exit 100');
  await expect(fetchQuickjs(work, never)).rejects.toThrow(/source package quickjs cannot be had.*status 100/);
  const sources = await readFile(join(dir, 'sources'), 'utf8');
  expect(sources).toMatch(/^URIs: http:\/\/mirror\.example\/debian$/m);
  expect(sources).toMatch(/^Suites: trixie$/m);
  const config = await readFile(join(dir, 'config'), 'utf8');
  for (const name of ['Dir::State', 'Dir::State::lists', 'Dir::Cache', 'Dir::Etc::sourcelist']) {
    expect(config).toMatch(new RegExp(`^${name} "${work}`, 'm'));
  }
  const [, update, source] = (await readFile(join(dir, 'calls'), 'utf8')).split('\n');
  expect(update).toBe(`-q update in ${work}/downloads`);
  expect(source).toBe(`-q source --download-only --tar-only quickjs in ${work}/downloads`);
});

test('what is not the pinned file is refused', async () => {
  await fakeApt(TARGETS, `echo another >${QUICKJS.file}`);
  await expect(fetchQuickjs(work, never)).rejects.toThrow(`${QUICKJS.file} has SHA-256`);
});

test('another release than the pinned one is named', async () => {
  await fakeApt(TARGETS, 'echo >quickjs_2027.01.01.orig.tar.xz');
  await expect(fetchQuickjs(work, never)).rejects.toThrow('was expected; Debian has quickjs_2027.01.01.orig.tar.xz');
});

test.each([
  ['no Debian', 'noble main http://ubuntu.example\n'],
  ['no source list', ''],
])('%s: it says so', async (_, targets) => {
  await fakeApt(targets, 'exit 1');
  await expect(fetchQuickjs(work, never)).rejects.toThrow(BuildProblem);
  await expect(fetchQuickjs(work, never)).rejects.toThrow('name no mirror');
});
