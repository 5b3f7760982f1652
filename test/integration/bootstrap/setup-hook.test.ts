/** mmdebstrap's setup hook, run on a tree as mmdebstrap has it by then. */
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { ProcessError, run } from '../../../src/host/process.ts';
import { makeTempDir } from '../../support/temp-dir.ts';

const GUEST = join(import.meta.dirname, '../../../guest');

/** What mmdebstrap writes where no mirror is named, with addresses of nobody. */
const SOURCES = `deb http://archive.example/debian bookworm main
deb http://archive.example/debian bookworm-updates main
deb [signed-by="/usr/share/keyrings/debian.gpg"] http://security.example/debian-security bookworm-security main
`;

let dir: string;
let hook: string;
let tree: string;
let aptConfig: string;

beforeEach(async () => {
  // A folder whose name a shell would take apart.
  dir = join(await makeTempDir(), "it's $HOME");
  hook = join(dir, 'setup-hook.sh');
  tree = join(dir, 'tree');
  aptConfig = join(dir, 'apt.conf');
  await mkdir(join(tree, 'etc/apt/sources.list.d'), { recursive: true });
  await copyFile(join(GUEST, 'bootstrap/setup-hook.sh'), hook);
  await copyFile(join(GUEST, 'lib/apt-sources.sh'), join(dir, 'apt-sources.sh'));
  await writeFile(join(tree, 'etc/apt/sources.list'), SOURCES);
  await writeFile(aptConfig, 'Apt::Architecture "amd64";\n');
});

async function runHook(mirrors: { readonly main?: string; readonly security?: string } = {}): Promise<string> {
  await run([hook, tree], {
    cwd: '/',
    env: {
      MMDEBSTRAP_APT_CONFIG: aptConfig,
      BANGER_APT_MIRROR: mirrors.main,
      BANGER_APT_SECURITY_MIRROR: mirrors.security,
    },
  });
  return readFile(join(tree, 'etc/apt/sources.list'), 'utf8');
}

test('without a mirror the sources stay as they are, and apt takes names for names', async () => {
  expect(await runHook()).toBe(SOURCES);
  expect(await readFile(aptConfig, 'utf8')).toBe('Apt::Architecture "amd64";\nAPT::Cmd::Pattern-Only "true";\n');
});

test('a name with a dot is no expression to apt', async () => {
  const wordsOfApt = async (): Promise<string> => {
    const argv = ['apt-get', '--simulate', 'install', 'banger-no-such.'] as const;
    const env = { APT_CONFIG: aptConfig, LC_ALL: 'C' };
    return (await run(argv, { env, okStatuses: [100] })).stderr;
  };
  expect(await wordsOfApt()).toContain('by regex');
  await runHook();
  expect(await wordsOfApt()).not.toContain('by regex');
});

test('a mirror has the release and its updates; security updates stay where they are', async () => {
  expect(await runHook({ main: 'http://m.example/debian/' })).toBe(
    SOURCES.replaceAll('http://archive.example/debian', 'http://m.example/debian/'),
  );
});

test('a security mirror has the security updates', async () => {
  expect(await runHook({ security: 'http://m.example/secure&more' })).toBe(
    SOURCES.replace('http://security.example/debian-security', 'http://m.example/secure&more'),
  );
});

test('both, also where one is called as the other’s archive is', async () => {
  const mirrors = { main: 'file:///srv/mirror', security: 'http://m.example/security/debian' };
  const expected = `deb file:///srv/mirror bookworm main
deb file:///srv/mirror bookworm-updates main
deb [signed-by="/usr/share/keyrings/debian.gpg"] http://m.example/security/debian bookworm-security main
`;
  expect(await runHook(mirrors)).toBe(expected);
  expect(await runHook(mirrors)).toBe(expected);
});

test('sources in the form of paragraphs are known too', async () => {
  const paragraph = 'Types: deb\nURIs: http://archive.example/debian\nSuites: bookworm bookworm-updates\n';
  const path = join(tree, 'etc/apt/sources.list.d/0000main.sources');
  await writeFile(path, paragraph);
  await writeFile(join(tree, 'etc/apt/sources.list'), '');
  await runHook({ main: 'http://m.example/debian' });
  expect(await readFile(path, 'utf8')).toBe(paragraph.replace('archive.example', 'm.example'));
});

test.each([
  ['mirror', { main: 'http://m.example/debian' }],
  ['security mirror', { security: 'http://m.example/security' }],
])('a %s that has nothing to replace is an error: the image would come from elsewhere', async (_, mirrors) => {
  await writeFile(join(tree, 'etc/apt/sources.list'), 'deb http://other.example/unknown bookworm main\n');
  const failure: unknown = await runHook(mirrors).catch((error: unknown) => error);
  if (!(failure instanceof ProcessError)) throw new Error('did not fail as it should', { cause: failure });
  expect(failure.stderr).toMatch(/^E: there is no source that could be replaced by http:\/\/m\.example\/\w+\n$/);
});
