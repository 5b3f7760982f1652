/** Runs step scripts in a throw-away root, as a build runs them in a guest. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { TestContext } from 'vitest';
import { createGuestAssets } from '../../../src/adapters/guest-assets/guest-assets.ts';
import { type BuildRequest, buildRequestSchema } from '../../../src/contracts/build.ts';
import { configSchema } from '../../../src/contracts/config.ts';
import { planBuild } from '../../../src/core/builds/build-plan.ts';
import { guestFilePath, GUEST_BUILD_DIR, stepEnvironment, type StepPlan } from '../../../src/core/builds/step-plan.ts';
import { hasCode } from '../../../src/host/error-code.ts';
import { agentFiles } from '../../../src/host/paths.ts';
import { ProcessError, run } from '../../../src/host/process.ts';
import { REPOSITORY_ROOT } from '../../support/source-tree.ts';
import { makeTempDir } from '../../support/temp-dir.ts';

const GUEST = join(import.meta.dirname, '../../../guest');
const ASSETS = createGuestAssets({ guest: GUEST, built: agentFiles(REPOSITORY_ROOT).dir });
export const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFakeKeyOfBangerItself banger';

export interface SandboxResult {
  readonly exitStatus: number;
  readonly stderr: string;
  /** A file that the script left in /run/work; empty where it left none. */
  read(name: string): Promise<string>;
}

/** @param change to a request for everything; @param toml to an empty config. */
export function planEverything(
  change: Partial<BuildRequest> = {},
  toml: Record<string, unknown> = {},
): readonly StepPlan[] {
  const whole = { from: 'base', docker: true, modulesPath: '/host/modules', userScript: 'true', ...change };
  return planBuild(buildRequestSchema.parse(whole), configSchema.parse(toml), {
    authorizedKey: KEY,
    modulesVersion: '6.1.0-test',
  }).steps;
}

/** What keeps the sandbox from working here; undefined where it works. */
async function sandboxObstacle(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'needs root for overlay mounts';
  try {
    await run(['unshare', '--mount', '--pid', '--fork', '--net', '--uts', 'true']);
  } catch (error) {
    if (error instanceof ProcessError) return error.message;
    throw error;
  }
  return undefined;
}

/** Skips the test, with the reason, where the sandbox does not work. */
export async function needSandbox(context: TestContext): Promise<void> {
  const obstacle = await sandboxObstacle();
  if (obstacle !== undefined) context.skip(obstacle);
}

/** Runs a bash script, after prelude.sh, in a sandbox of its own; the steps' inputs lie where their plans say. */
export async function runSandbox(
  main: string,
  options: { readonly steps?: readonly StepPlan[]; readonly files?: Readonly<Record<string, string>> } = {},
): Promise<SandboxResult> {
  const work = await makeTempDir();
  const prelude = await readFile(join(import.meta.dirname, 'prelude.sh'), 'utf8');
  await writeFile(join(work, 'main.sh'), `${prelude}\n${main}\n`);
  for (const [path, content] of Object.entries(options.files ?? {})) await put(join(work, path), content);
  for (const step of options.steps ?? planEverything()) await layOut(step, work);
  const { exitStatus, stderr } = await run(
    [
      ...([
        'unshare',
        '--mount',
        '--propagation',
        'private',
        '--pid',
        '--fork',
        '--kill-child',
        '--net',
        '--uts',
      ] as const),
      ...['/bin/bash', join(import.meta.dirname, 'sandbox.sh'), GUEST, work],
    ],
    { okStatuses: Array.from({ length: 256 }, (_, status) => status), timeoutMs: 50_000 },
  );
  return {
    exitStatus,
    stderr,
    async read(name) {
      return readFile(join(work, name), 'utf8').catch((error: unknown) => {
        if (hasCode(error, 'ENOENT')) return '';
        throw error;
      });
    },
  };
}

/** The step's inputs below /run/work, and its environment with the paths changed to there. */
async function layOut(step: StepPlan, work: string): Promise<void> {
  const place = (path: string): string => path.replace(GUEST_BUILD_DIR, work);
  await mkdir(place(guestFilePath(step)), { recursive: true });
  for (const { to, source } of step.files) {
    const target = place(guestFilePath(step, to));
    await put(target, 'asset' in source ? (await ASSETS.read(source.asset)).content : source.content);
  }
  const environment = Object.entries(stepEnvironment(step)).map(
    ([name, value]) => `${name}=${value.replace(GUEST_BUILD_DIR, '/run/work')}\0`,
  );
  await put(join(work, 'env', step.name), environment.join(''));
}

async function put(path: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
}
