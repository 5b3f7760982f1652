/**
 * `image build --preset minimal`, against the same steps run by hand over ssh in such a VM. The preset fetches no
 * package: how fast a mirror answers is no property of banger.
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createGuestAssets } from '../../src/adapters/guest-assets/guest-assets.ts';
import { buildRequestSchema } from '../../src/contracts/build.ts';
import { configSchema } from '../../src/contracts/config.ts';
import { planBuild } from '../../src/core/builds/build-plan.ts';
import { stepEnvironment, type StepPlan } from '../../src/core/builds/step-plan.ts';
import { identityFiles } from '../../src/core/vms/guest-identity.ts';
import { packageRoot } from '../../src/host/build-id.ts';
import { agentFiles } from '../../src/host/paths.ts';
import { run } from '../../src/host/process.ts';
import { BASE_IMAGE, OWN_PREFIX } from '../banger.ts';
import type { Bench } from '../bench.ts';
import { MACHINE_SCRIPT, machineEnvironment } from '../by-hand/hand-machine.ts';
import type { Figure, RunPlan, Series } from '../figure.ts';
import { type Guest, makeWorkDir } from '../guest.ts';
import { inTurn, timed } from '../in-turn.ts';
import { perPair } from '../progress.ts';
import { withUndo } from '../with-undo.ts';

const ASSETS = createGuestAssets({ guest: join(packageRoot(), 'guest'), built: agentFiles(packageRoot()).dir });
const TITLE = 'image build, minimal';
const NAME = `${OWN_PREFIX}built`;
const HAND_NAME = `${OWN_PREFIX}hand`;
const MINUTE_MS = 60_000;
const RUN_TIMEOUT_MS = 5 * MINUTE_MS;

export const build: Figure = {
  name: 'build',
  runs: 3,
  budgetMs: 15 * MINUTE_MS,
  usualMs: 4 * MINUTE_MS,
  needs: 'guest',
  measure,
};

async function measure(bench: Bench, plan: RunPlan): Promise<readonly Series[]> {
  const { banger } = bench;
  const guest = await bench.guest();
  return withUndo(async (undo) => {
    const workDir = await makeWorkDir(banger, undo);
    const target = join(workDir, 'image');
    const env = { ...(await handInputs(guest, workDir)), BENCH_TARGET: target };
    const sides = {
      async banger(signal: AbortSignal): Promise<number> {
        const command = ['image', 'build', NAME, '--from', BASE_IMAGE, '--preset', 'minimal'];
        const durationMs = await timed(() => banger.run(command, signal));
        await banger.run(['image', 'delete', NAME], signal);
        await settle(signal);
        return durationMs;
      },
      async byHand(signal: AbortSignal): Promise<number> {
        await mkdir(target);
        const argv = guest.network.inside(['bash', MACHINE_SCRIPT, 'build']);
        const durationMs = await timed(() => run(argv, { env, signal, timeoutMs: RUN_TIMEOUT_MS }));
        await rm(target, { recursive: true });
        await settle(signal);
        return durationMs;
      },
    };
    const samples = await inTurn(sides, plan, perPair(bench, TITLE, plan));
    return [
      {
        ...samples,
        title: TITLE,
        unit: 'ms',
        goal: { of: 'ratio', atMost: 1.05 },
        against: 'cp, debugfs, qemu, scp, ssh, e2fsck, openssl by hand',
      },
    ];
  });
}

/** What one side has left to be written must not slow the other. */
async function settle(signal: AbortSignal): Promise<void> {
  await run(['sync'], { signal });
}

/** Everything a person would have ready before the clock starts. */
async function handInputs(guest: Guest, workDir: string): Promise<Record<string, string>> {
  const { vm, image, access, addresses, network } = guest;
  const steps = await layStepInputs(access.identityPath, join(workDir, 'inputs'));
  const hostKey = join(workDir, 'host-key');
  await run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', HAND_NAME, '-f', hostKey]);
  const knownHosts = join(workDir, 'known-hosts');
  await writeFile(knownHosts, `${HAND_NAME} ${await readFile(`${hostKey}.pub`, 'utf8')}`);
  const environment = await machineEnvironment({
    vm,
    boot: image.boot,
    access: { identityPath: access.identityPath, knownHostsPath: knownHosts, hostKeyAlias: HAND_NAME },
    addresses,
    network,
    hostname: HAND_NAME,
    consolePath: join(workDir, 'console.log'),
  });
  return {
    ...environment,
    BENCH_SOURCE: image.rootfsPath,
    BENCH_IDENTITY_SCRIPT: await layIdentity(access.identityPath, hostKey, join(workDir, 'identity')),
    BENCH_INPUTS: join(workDir, 'inputs'),
    BENCH_STEPS: steps.join(' '),
  };
}

/** Scripts and inputs of the very steps that banger plans. @returns their names in order. */
async function layStepInputs(identityPath: string, dir: string): Promise<string[]> {
  const authorizedKey = await readFile(`${identityPath}.pub`, 'utf8');
  const request = buildRequestSchema.parse({ from: BASE_IMAGE, preset: 'minimal' });
  const { steps } = planBuild(request, configSchema.parse({}), { authorizedKey, modulesVersion: undefined });
  for (const step of steps) await layStep(step, dir);
  return steps.map(({ name }) => name);
}

async function layStep(step: StepPlan, dir: string): Promise<void> {
  const put = async (path: string, content: string | Uint8Array): Promise<void> => {
    await mkdir(dirname(join(dir, path)), { recursive: true });
    await writeFile(join(dir, path), content);
  };
  const asset = async (path: string): Promise<Uint8Array> => (await ASSETS.read(path)).content;
  await put(`steps/${step.name}.sh`, await asset(step.scriptPath));
  for (const { to, source } of step.files) {
    const content = 'asset' in source ? await asset(source.asset) : source.content;
    await put(`files/${step.name}/${to}`, content);
  }
  const settings = Object.entries(stepEnvironment(step)).map(([name, value]) => `${name}=${value}`);
  await put(`env/${step.name}`, settings.join(' '));
}

/** Name and keys of the clone. @returns the path of the script for debugfs. */
async function layIdentity(identityPath: string, hostKey: string, dir: string): Promise<string> {
  const files = identityFiles({
    hostname: HAND_NAME,
    hostPrivateKey: await readFile(hostKey, 'utf8'),
    hostPublicKey: (await readFile(`${hostKey}.pub`, 'utf8')).trim(),
    clientPublicKey: await readFile(`${identityPath}.pub`, 'utf8'),
    authorizedKeys: '',
  });
  await mkdir(dir);
  const lines = ['mkdir /root/.ssh', 'sif /root/.ssh mode 040700'];
  for (const [index, { path, content, mode }] of files.entries()) {
    const local = join(dir, String(index));
    // debugfs gives the file this mode.
    await writeFile(local, content, { mode });
    lines.push(`rm ${path}`, `write ${local} ${path}`);
  }
  const script = join(dir, 'commands');
  await writeFile(script, lines.map((line) => `${line}\n`).join(''));
  return script;
}
