import { chmod, cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { run } from '../../../src/host/process.ts';
import { makeTempDir } from '../../support/temp-dir.ts';

const CHECKOUT = join(import.meta.dirname, '..', '..', '..');
const ALL =
  'qemu-system-x86 mmdebstrap e2fsprogs nftables iproute2 openssh-client passt uidmap zstd util-linux git ' +
  'gcc musl-tools xz-utils';

let root: string;
/** Programs that stand in the place of the machine's own; each notes how it was called. */
let programs: string;

beforeEach(async () => {
  const dir = await makeTempDir();
  root = join(dir, 'a checkout');
  programs = join(dir, 'programs');
  await mkdir(join(root, 'scripts'), { recursive: true });
  await mkdir(programs);
  await cp(join(CHECKOUT, 'scripts', 'setup'), join(root, 'scripts', 'setup'));
  await writeFile(join(root, 'package-lock.json'), '{"lock":1}\n');
  for (const name of ['bundle.ts', 'build-agent.ts']) await writeFile(join(root, 'scripts', name), '');
  await program('sudo', 'exec "$@"');
  await program('apt-get', 'echo "frontend $DEBIAN_FRONTEND" >> "$NOTES"');
  await program(
    'npm',
    'mkdir -p node_modules/node/bin; printf "#!/bin/sh\\n" > node_modules/node/bin/node; chmod +x node_modules/node/bin/node',
  );
  await installed(ALL);
});

async function program(name: string, body: string): Promise<void> {
  const path = join(programs, name);
  await writeFile(path, `#!/bin/sh\nprintf '%s\\n' "${name} $*" >> "$NOTES"\n${body}\n`);
  await chmod(path, 0o700);
}

/** What dpkg knows of: packages that were removed have another status, those it never saw make it fail. */
async function installed(packages: string): Promise<void> {
  const lines = packages.split(' ').map((name) => `echo "${name} installed"`);
  await program('dpkg-query', `${lines.join('\n')}\necho "zstd-tools config-files"\nexit 1`);
}

async function setup(
  ...flags: readonly string[]
): Promise<{ readonly notes: readonly string[]; readonly stderr: string; readonly exitStatus: number }> {
  const notes = join(programs, 'notes');
  await writeFile(notes, '');
  const { stderr, exitStatus } = await run([join(root, 'scripts', 'setup'), ...flags], {
    env: { PATH: `${programs}:/usr/bin:/bin`, NOTES: notes },
    okStatuses: [0, 1],
    timeoutMs: 20_000,
  });
  const lines = (await readFile(notes, 'utf8'))
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('dpkg-query'));
  return { notes: lines, stderr, exitStatus };
}

describe('scripts/setup', () => {
  test('installs the libraries once, and again when the lock file has changed', async () => {
    expect((await setup()).notes).toEqual(['npm ci --no-audit --no-fund --loglevel=error']);
    expect((await setup()).notes).toEqual([]);
    await writeFile(join(root, 'package-lock.json'), '{"lock":2}\n');
    expect((await setup()).notes).toHaveLength(1);
  });

  test('asks apt only for what is missing, and without questions', async () => {
    await setup();
    await installed(ALL.replace('passt ', '').replace('zstd ', ''));
    const { notes } = await setup();
    const own = notes.filter((line) => !line.startsWith('sudo'));
    expect(own).toEqual([
      'apt-get -o DPkg::Lock::Timeout=300 update',
      'frontend noninteractive',
      'apt-get -o DPkg::Lock::Timeout=300 install --yes passt zstd',
      'frontend noninteractive',
    ]);
  });

  test('--tests asks for what the tests need too', async () => {
    await setup();
    const { notes } = await setup('--tests');
    expect(notes.join('\n')).toContain('install --yes openssh-server shellcheck tmux bsdutils');
  });

  test('what fails stops it, and leaves nothing that looks finished', async () => {
    await program('npm', 'exit 1');
    const { exitStatus, stderr } = await setup();
    expect(exitStatus).toBe(1);
    expect(stderr).toContain('setup: npm ci failed');
    expect(existsSync(join(root, 'node_modules', '.banger-package-lock.json'))).toBe(false);
    await installed('git');
    await program('apt-get', 'exit 100');
    expect((await setup()).stderr).toContain('setup: apt-get update failed');
  });

  test('an unknown flag is refused', async () => {
    expect(await setup('--all')).toMatchObject({ exitStatus: 1, notes: [] });
  });
});

describe('bin/banger', () => {
  /** A checkout in which node, bundle and sources only say which of them runs. */
  async function launcher(): Promise<string> {
    for (const dir of ['bin', 'src/cli', 'guest', 'dist', 'node_modules/commander', 'node_modules/node/bin']) {
      await mkdir(join(root, dir), { recursive: true });
    }
    await cp(join(CHECKOUT, 'bin', 'banger'), join(root, 'bin', 'banger'));
    await writeFile(join(root, 'package.json'), '{}');
    await writeFile(join(root, 'src', 'cli', 'main.ts'), 'console.log("sources");\n');
    await writeFile(join(root, 'src', 'cli', 'other.ts'), '');
    await writeFile(join(root, 'dist', 'cli.cjs'), 'console.log("bundle");\n');
    await symlink(process.execPath, join(root, 'node_modules', 'node', 'bin', 'node'));
    return join(root, 'bin', 'banger');
  }

  async function says(path: string, env: Record<string, string | undefined> = {}): Promise<string> {
    const { stdout } = await run([path], { env: { BANGER_HOME: join(root, 'home'), ...env }, timeoutMs: 20_000 });
    return stdout.trim();
  }

  test('without a bundle the sources run; a fresh one is preferred', async () => {
    const path = await launcher();
    expect(await says(path)).toBe('sources');
    await writeFile(join(root, 'dist', 'stamp'), '');
    expect(await says(path)).toBe('bundle');
  });

  test.each([
    ['changed', "echo '//' >> src/cli/other.ts"],
    [
      'changed, with its old time kept',
      "cp -p src/cli/other.ts keep; echo '//' > src/cli/other.ts; touch -r keep src/cli/other.ts",
    ],
    ['removed', 'rm src/cli/other.ts'],
    ['added', 'touch guest/new.sh'],
    ['moved', 'mv src/cli/other.ts src/cli/another.ts'],
    ['replaced by an older one', 'cp -p src/cli/other.ts old; touch -d 2001-01-01 old; mv old src/cli/other.ts'],
    ['given other libraries', "echo '{}' > package-lock.json"],
  ])('a bundle whose sources were %s is not run', async (_, change) => {
    const path = await launcher();
    await writeFile(join(root, 'dist', 'stamp'), '');
    expect(await says(path)).toBe('bundle');
    await run(['sh', '-c', change], { cwd: root });
    expect(await says(path)).toBe('sources');
  });

  test('the machine’s own Node is taken where npm installed none and it is new enough', async () => {
    const path = await launcher();
    await run(['rm', join(root, 'node_modules', 'node', 'bin', 'node')]);
    await symlink(process.execPath, join(programs, 'node'));
    expect(await says(path, { PATH: `${programs}:/usr/bin:/bin` })).toBe('sources');
    await run(['rm', join(programs, 'node')]);
    await program('node', 'echo v20.20.2');
    const old = run([path], { env: { PATH: `${programs}:/usr/bin:/bin`, NOTES: '/dev/null' } });
    await expect(old).rejects.toThrow(/Node 24 or newer is needed; .* is v20\.20\.2[\s\S]*scripts\/setup/);
  });

  test('without libraries it says what to run', async () => {
    const path = await launcher();
    await run(['rm', '-r', join(root, 'node_modules', 'commander')]);
    await expect(run([path])).rejects.toThrow('scripts/setup');
  });

  test('the compile cache lies in banger’s own cache', async () => {
    const path = await launcher();
    await writeFile(join(root, 'src', 'cli', 'main.ts'), 'console.log(process.env.NODE_COMPILE_CACHE);\n');
    expect(await says(path)).toBe(join(root, 'home', 'cache', 'node-compile'));
    const xdg = { BANGER_HOME: undefined, XDG_CACHE_HOME: join(root, 'xdg') };
    expect(await says(path, xdg)).toBe(join(root, 'xdg', 'banger', 'node-compile'));
    const home = { BANGER_HOME: undefined, XDG_CACHE_HOME: 'relative', HOME: join(root, 'me') };
    expect(await says(path, home)).toBe(join(root, 'me', '.cache', 'banger', 'node-compile'));
  });
});
