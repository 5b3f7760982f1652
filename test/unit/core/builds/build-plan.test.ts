import { describe, expect, test } from 'vitest';
import { type BuildRequest, buildRequestSchema, packageNameSchema } from '../../../../src/contracts/build.ts';
import { configSchema } from '../../../../src/contracts/config.ts';
import { AppError } from '../../../../src/core/app-error.ts';
import { planBuild } from '../../../../src/core/builds/build-plan.ts';
import { MISE, OPENCODE, TMUX_CONTINUUM, TMUX_RESURRECT, TPM } from '../../../../src/core/builds/pins.ts';
import { PRESETS } from '../../../../src/core/builds/presets.ts';
import {
  fetchKey,
  guestFilePath,
  guestScriptPath,
  stepEnvironment,
  type StepPlan,
} from '../../../../src/core/builds/step-plan.ts';

const FACTS = { authorizedKey: 'ssh-ed25519 AAAA banger', modulesVersion: undefined };

function request(change: Partial<BuildRequest> = {}): BuildRequest {
  return { ...buildRequestSchema.parse({ from: 'base' }), ...change };
}

function config(toml: Record<string, unknown> = {}) {
  return configSchema.parse(toml);
}

function names(plan: { readonly steps: readonly StepPlan[] }): string[] {
  return plan.steps.map((step) => step.name);
}

function step(name: string, plan: { readonly steps: readonly StepPlan[] }): StepPlan {
  const found = plan.steps.find((candidate) => candidate.name === name);
  if (!found) throw new Error(`no step ${name}`);
  return found;
}

function contentOf(plan: StepPlan, to: string): string | undefined {
  const source = plan.files.find((file) => file.to === to)?.source;
  return source && 'content' in source ? source.content : undefined;
}

describe('which steps, in which order', () => {
  test.each<{ name: string; change: Partial<BuildRequest>; steps: string }>([
    { name: 'dev', change: {}, steps: 'base packages network agent mise opencode tmux cleanup' },
    { name: 'minimal', change: { preset: 'minimal' }, steps: 'base network agent cleanup' },
    {
      name: 'minimal with a package',
      change: { preset: 'minimal', packages: ['jq'] },
      steps: 'base packages network agent cleanup',
    },
    {
      name: 'everything',
      change: { docker: true, modulesPath: '/lib/modules/6.1', userScript: 'true' },
      steps: 'base packages network agent mise opencode tmux docker modules user cleanup',
    },
    {
      name: 'minimal with everything asked for',
      change: { preset: 'minimal', docker: true, modulesPath: '/lib/modules/6.1', userScript: 'true' },
      steps: 'base network agent docker modules user cleanup',
    },
    {
      name: 'dev without some, however often they are named',
      change: { without: ['tmux', 'mise', 'tmux'] },
      steps: 'base packages network agent opencode cleanup',
    },
    {
      name: 'without packages',
      change: { without: ['packages'] },
      steps: 'base network agent mise opencode tmux cleanup',
    },
    {
      name: 'without a step that the preset has not',
      change: { preset: 'minimal', without: ['docker', 'tmux'] },
      steps: 'base network agent cleanup',
    },
    {
      name: 'without network, agent and cleanup',
      change: { preset: 'minimal', without: ['network', 'agent', 'cleanup'] },
      steps: 'base',
    },
  ])('$name', ({ change, steps }) => {
    expect(names(planBuild(request(change), config(), { ...FACTS, modulesVersion: '6.1' })).join(' ')).toBe(steps);
  });

  test('packages of the config bring the step along', () => {
    const plan = planBuild(request({ preset: 'minimal' }), config({ build: { packages: ['zsh'] } }), FACTS);
    expect(names(plan)).toContain('packages');
    expect(plan.packages).toEqual(['zsh']);
  });
});

describe('what cannot be left out', () => {
  test.each<{ change: Partial<BuildRequest>; says: string }>([
    { change: { without: ['base'] }, says: 'The step "base" cannot be left out' },
    {
      change: { without: ['packages'], packages: ['jq'] },
      says: 'The step "packages" is left out, and --package asks for it.',
    },
    { change: { without: ['docker'], docker: true }, says: 'The step "docker" is left out, and --docker' },
    { change: { without: ['modules'], modulesPath: '/m' }, says: 'The step "modules" is left out, and --modules' },
    { change: { without: ['user'], userScript: 'true' }, says: 'The step "user" is left out' },
  ])('$says', ({ change, says }) => {
    const plan = (): unknown => planBuild(request(change), config(), { ...FACTS, modulesVersion: '6.1' });
    expect(plan).toThrow(AppError);
    expect(plan).toThrow(expect.objectContaining({ code: 'STEP_INVALID' }));
    expect(plan).toThrow(says);
  });
});

describe('packages', () => {
  test('preset, config and request in this order, none twice, one a line', () => {
    const plan = planBuild(
      request({ packages: ['zsh', 'git', 'zsh', 'jq=1.6'] }),
      config({ build: { packages: ['fish', 'curl'] } }),
      FACTS,
    );
    expect(plan.packages).toEqual([...PRESETS.dev.packages, 'fish', 'zsh', 'jq=1.6']);
    expect(contentOf(step('packages', plan), 'packages.txt')).toBe(`${plan.packages.join('\n')}\n`);
  });

  test('left out, none are asked for', () => {
    expect(planBuild(request({ without: ['packages'] }), config(), FACTS).packages).toEqual([]);
  });

  test('mirror and proxy reach the steps that use apt, and no other', () => {
    const apt = {
      mirror: 'http://mirror.example/debian',
      security_mirror: 'http://mirror.example/security',
      proxy: 'http://proxy.example:3142',
    };
    const plan = planBuild(request({ docker: true }), config({ apt }), FACTS);
    expect(step('packages', plan).env).toEqual({
      BANGER_APT_MIRROR: apt.mirror,
      BANGER_APT_SECURITY_MIRROR: apt.security_mirror,
      BANGER_APT_PROXY: apt.proxy,
    });
    expect(step('docker', plan).env).toEqual({ BANGER_APT_PROXY: apt.proxy });
    const others = plan.steps.filter(({ name }) => name !== 'packages' && name !== 'docker');
    for (const { env } of others) expect(JSON.stringify(env)).not.toContain('APT');
  });

  test('every package of a preset is a name that a request could give', () => {
    const all = Object.values(PRESETS).flatMap((preset) => preset.packages);
    expect(all.length).toBeGreaterThan(30);
    for (const name of all) expect(packageNameSchema.safeParse(name).success, name).toBe(true);
    expect(new Set(all).size).toBe(all.length);
  });

  test('a name that apt would take for a removal is none', () => {
    expect(packageNameSchema.safeParse('bash-').success).toBe(false);
    expect(packageNameSchema.safeParse('g++').success).toBe(true);
  });
});

describe('sources', () => {
  test('the pinned ones, with their integrity; of a package only the program', () => {
    const plan = planBuild(request(), config(), FACTS);
    expect(step('mise', plan).fetches).toEqual([
      {
        spec: { kind: 'npm', packageName: MISE.packageName, version: MISE.version, integrity: MISE.integrity },
        file: 'bin/mise',
        to: 'mise',
      },
    ]);
    expect(step('opencode', plan).env).toEqual({ BANGER_OPENCODE_VERSION: OPENCODE.version });
    expect(step('tmux', plan).fetches.map(({ spec, file, to }) => ({ spec, file, to }))).toEqual([
      { spec: { kind: 'git', ...TPM }, file: undefined, to: 'tpm' },
      { spec: { kind: 'git', ...TMUX_RESURRECT }, file: undefined, to: 'tmux-resurrect' },
      { spec: { kind: 'git', ...TMUX_CONTINUUM }, file: undefined, to: 'tmux-continuum' },
    ]);
  });

  test('another version has no pinned integrity, the pinned version named again has', () => {
    const other = planBuild(request(), config({ sources: { opencode_version: '9.9.9' } }), FACTS);
    expect(step('opencode', other).fetches[0]?.spec).toMatchObject({ version: '9.9.9', integrity: undefined });
    expect(step('opencode', other).env).toEqual({ BANGER_OPENCODE_VERSION: '9.9.9' });
    const same = planBuild(request(), config({ sources: { opencode_version: OPENCODE.version } }), FACTS);
    expect(step('opencode', same).fetches[0]?.spec).toMatchObject({ integrity: OPENCODE.integrity });
  });

  test('a mirror is fetched from, and is not what the guest updates from', () => {
    const tpm = { url: 'file:///srv/mirror/tpm', commit: 'a'.repeat(40) };
    const plan = step('tmux', planBuild(request(), config({ sources: { tpm } }), FACTS));
    expect(plan.fetches[0]?.spec).toEqual({ kind: 'git', ...tpm });
    expect(plan.env['BANGER_TPM_URL']).toBe(TPM.url);
  });

  test('one key a source: a commit is the same from every mirror, a package is not without its pin', () => {
    const commit = 'a'.repeat(40);
    expect(fetchKey({ kind: 'git', url: 'https://a.example', commit })).toBe(
      fetchKey({ kind: 'git', url: 'https://b.example', commit }),
    );
    const tool = { kind: 'npm', packageName: 'tool', version: '1.0.0' } as const;
    const keys = [undefined, 'sha512-a', 'sha512-b'].map((integrity) => fetchKey({ ...tool, integrity }));
    expect(new Set(keys).size).toBe(3);
  });
});

describe('inputs of single steps', () => {
  test('the modules tree is uploaded whole, for the version that it is for', () => {
    const facts = { ...FACTS, modulesVersion: '6.1.0-18-cloud-amd64' };
    const plan = step('modules', planBuild(request({ modulesPath: '/host/modules' }), config(), facts));
    expect(plan.trees).toEqual([{ hostDir: '/host/modules', to: 'tree' }]);
    expect(plan.env).toEqual({ BANGER_MODULES_VERSION: '6.1.0-18-cloud-amd64' });
  });

  test('a modules tree whose version nobody knows is refused', () => {
    const plan = (): unknown => planBuild(request({ modulesPath: '/host/modules' }), config(), FACTS);
    expect(plan).toThrow(expect.objectContaining({ code: 'MODULES_INVALID' }));
  });

  test('the agent is what was built, with its version beside it', () => {
    const plan = step('agent', planBuild(request(), config(), FACTS));
    expect(plan.files.map(({ to, source }) => [to, 'asset' in source && source.asset])).toEqual([
      ['banger-agent', 'built/banger-agent'],
      ['banger-agent.version', 'built/banger-agent.version'],
      ['banger-agent.service', 'rootfs/etc/systemd/system/banger-agent.service'],
      ['banger-agent.conf', 'rootfs/etc/modules-load.d/banger-agent.conf'],
    ]);
  });

  test('key and user script go as files, so that nothing in them is quoted', () => {
    const userScript = 'echo "$(reboot)"\n';
    const plan = planBuild(request({ userScript }), config(), { ...FACTS, authorizedKey: '  ssh-rsa A b\n' });
    expect(contentOf(step('user', plan), 'script')).toBe(userScript);
    expect(contentOf(step('base', plan), 'authorized_key')).toBe('ssh-rsa A b\n');
  });

  test('places in the guest', () => {
    const base = step('base', planBuild(request(), config(), FACTS));
    expect(guestScriptPath(base)).toBe('/var/lib/banger-build/steps/base.sh');
    expect(guestFilePath(base, 'authorized_key')).toBe('/var/lib/banger-build/files/base/authorized_key');
    expect(stepEnvironment(base)).toEqual({
      BANGER_HOSTNAME: 'banger',
      BANGER_FILES: '/var/lib/banger-build/files/base',
    });
  });
});
