import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { expect, test } from 'vitest';
import { createGuestAssets } from '../../../src/adapters/guest-assets/guest-assets.ts';
import { buildRequestSchema, STEP_NAMES } from '../../../src/contracts/build.ts';
import { configSchema } from '../../../src/contracts/config.ts';
import { planBuild } from '../../../src/core/builds/build-plan.ts';
import { rootfsAsset, ROOTFS_FILES } from '../../../src/core/builds/rootfs-files.ts';
import { stepAssets } from '../../../src/core/builds/step-inputs.ts';
import { REACHABILITY_FILES } from '../../../src/core/vms/guest-identity.ts';
import { run } from '../../../src/host/process.ts';
import { makeTempDir } from '../../support/temp-dir.ts';

const GUEST = join(import.meta.dirname, '../../../guest');

async function filesBelow(dir: string): Promise<string[]> {
  const entries = await readdir(join(GUEST, dir), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(GUEST, join(entry.parentPath, entry.name)))
    .toSorted();
}

/** The project's folder, and one in the place of what scripts/setup builds. */
async function guestDirs(): Promise<{ readonly guest: string; readonly built: string }> {
  const built = await makeTempDir();
  for (const name of ['banger-agent', 'banger-agent.version']) await writeFile(join(built, name), name);
  return { guest: GUEST, built };
}

const WHOLE_PLAN = planBuild(
  buildRequestSchema.parse({ from: 'base', docker: true, modulesPath: '/m', userScript: 'true' }),
  configSchema.parse({}),
  { authorizedKey: 'ssh-ed25519 A', modulesVersion: '6.1' },
);

test('every step has its script, and every script is a step', async () => {
  expect(await filesBelow('steps')).toEqual(STEP_NAMES.map((name) => `steps/${name}.sh`).toSorted());
  expect(WHOLE_PLAN.steps.map(({ name }) => name)).toEqual([...STEP_NAMES]);
});

test('shellcheck finds nothing in any shell file', async () => {
  const scripts = [
    ...(await filesBelow('steps')),
    ...(await filesBelow('lib')).filter((path) => path.endsWith('.sh')),
    ...(await filesBelow('bootstrap')),
    'rootfs/usr/local/libexec/banger-network-bootstrap',
    'rootfs/etc/profile.d/mise.sh',
  ];
  expect(scripts).toHaveLength(STEP_NAMES.length + 5);
  await run(['shellcheck', '--external-sources', '--shell=bash', ...scripts.slice(0, -2)], { cwd: GUEST });
  await run(['shellcheck', '--shell=dash', ...scripts.slice(-2)], { cwd: GUEST });
});

test.each([...STEP_NAMES])('the header of %s tells purpose, inputs and how to run it by hand', async (name) => {
  const text = await readFile(join(GUEST, `steps/${name}.sh`), 'utf8');
  const header = text
    .split('\n')
    .filter((line) => line.startsWith('#'))
    .join('\n');
  expect(text).toMatch(/^#!\/bin\/bash\n# Step `/);
  expect(header).toContain(`Step \`${name}\``);
  expect(header).toContain('# Inputs: ');
  expect(header).toMatch(new RegExp(`By hand.*\\n#.*bash (steps/)?${name}\\.sh`));
  expect(text).toContain('\nset -euo pipefail\n');
});

test.each([...STEP_NAMES])('%s reads no variable and no file that its plan does not give', async (name) => {
  const step = WHOLE_PLAN.steps.find((candidate) => candidate.name === name);
  const text = await readFile(join(GUEST, `steps/${name}.sh`), 'utf8');
  const code = text
    .split('\n')
    .filter((line) => !line.trimStart().startsWith('#'))
    .join('\n');
  const given = [...(step?.files ?? []), ...(step?.fetches ?? []), ...(step?.trees ?? [])].map(({ to }) => to);
  for (const [, file] of code.matchAll(/\$BANGER_FILES\/([\w.-]+)/g)) expect(given).toContain(file);
  const optional = ['BANGER_FILES', 'BANGER_NAMESERVERS', 'BANGER_APT_PROXY'];
  const variables = [...code.matchAll(/BANGER_[A-Z_]+/g)].map(([variable]) => variable);
  for (const variable of variables) expect([...Object.keys(step?.env ?? {}), ...optional]).toContain(variable);
});

test('rootfs holds the files that the plan knows, with their modes, and no other', async () => {
  expect(ROOTFS_FILES.map(rootfsAsset).toSorted()).toEqual(await filesBelow('rootfs'));
  for (const file of ROOTFS_FILES) {
    expect((await stat(join(GUEST, rootfsAsset(file)))).mode & 0o111, file.path).toBe(file.mode & 0o111);
  }
});

test('what is written into a disk before its first boot is among them', () => {
  for (const { path, mode } of REACHABILITY_FILES) expect(ROOTFS_FILES).toContainEqual({ path, mode });
});

test('every asset of every step can be read, with its digest', async () => {
  const assets = createGuestAssets(await guestDirs());
  const paths = WHOLE_PLAN.steps.flatMap(stepAssets);
  expect(paths.length).toBeGreaterThan(STEP_NAMES.length);
  for (const path of paths) {
    const { content, digest } = await assets.read(path);
    expect(content.length).toBeGreaterThan(0);
    expect(digest).toMatch(/^sha256:[0-9a-f]{64}$/);
  }
});

test('an asset that is missing is a fault of the installation, and one that is built of setup', async () => {
  const assets = createGuestAssets(await guestDirs());
  await expect(assets.read('steps/none.sh')).rejects.toMatchObject({ code: 'INTERNAL' });
  await expect(assets.read('built/none')).rejects.toMatchObject({
    code: 'INTERNAL',
    hint: expect.stringContaining('scripts/setup'),
  });
});
