/** From a build request to its ordered steps. Pure. */
import { type BuildRequest, STEP_NAMES, type StepName } from '../../contracts/build.ts';
import { AppError } from '../app-error.ts';
import { PRESETS } from './presets.ts';
import type { StepPlan } from './step-plan.ts';
import { agentStep } from './steps/agent.ts';
import { baseStep } from './steps/base.ts';
import { cleanupStep } from './steps/cleanup.ts';
import { dockerStep } from './steps/docker.ts';
import { miseStep } from './steps/mise.ts';
import { modulesStep } from './steps/modules.ts';
import { networkStep } from './steps/network.ts';
import { opencodeStep } from './steps/opencode.ts';
import { packagesStep } from './steps/packages.ts';
import type { BuildConfig, BuildFacts, StepContext } from './steps/step-context.ts';
import { tmuxStep } from './steps/tmux.ts';
import { userStep } from './steps/user.ts';

export interface BuildPlan {
  /** In the order they run. */
  readonly steps: readonly StepPlan[];
  /** Every package the build asks apt for, the preset's first. */
  readonly packages: readonly string[];
}

/**
 * @param config its packages join those of the preset and of the request.
 * @throws AppError STEP_INVALID where a step is left out that cannot be, or that the same request asks for.
 */
export function planBuild(request: BuildRequest, config: BuildConfig, facts: BuildFacts): BuildPlan {
  const without = new Set(request.without);
  assertLeftOut(without, request);
  const preset = PRESETS[request.preset];
  const packages = without.has('packages')
    ? []
    : [...new Set([...preset.packages, ...config.build.packages, ...request.packages])];
  const wanted = new Set<StepName>(preset.steps);
  if (packages.length > 0) wanted.add('packages');
  if (request.docker) wanted.add('docker');
  if (request.modulesPath !== undefined) wanted.add('modules');
  if (request.userScript !== undefined) wanted.add('user');
  const context: StepContext = { request, config, facts, packages };
  const steps = STEP_NAMES.filter((name) => wanted.has(name) && !without.has(name));
  return { steps: steps.map((name) => planStep(name, context)), packages };
}

function planStep(name: StepName, context: StepContext): StepPlan {
  switch (name) {
    case 'base':
      return baseStep(context);
    case 'packages':
      return packagesStep(context);
    case 'network':
      return networkStep();
    case 'agent':
      return agentStep();
    case 'mise':
      return miseStep(context);
    case 'opencode':
      return opencodeStep(context);
    case 'tmux':
      return tmuxStep(context);
    case 'docker':
      return dockerStep(context);
    case 'modules':
      return planModules(context);
    case 'user':
      return userStep(context.request.userScript ?? '');
    case 'cleanup':
      return cleanupStep();
  }
}

function planModules({ request, facts }: StepContext): StepPlan {
  const { modulesPath } = request;
  const { modulesVersion } = facts;
  if (modulesPath === undefined || modulesVersion === undefined) {
    throw new AppError('MODULES_INVALID', `The kernel version of the modules in "${modulesPath}" is not known.`);
  }
  return modulesStep({ hostDir: modulesPath, version: modulesVersion });
}

function assertLeftOut(without: ReadonlySet<StepName>, request: BuildRequest): void {
  if (without.has('base')) {
    throw new AppError(
      'STEP_INVALID',
      'The step "base" cannot be left out: without it no VM of the image lets banger in.',
      {
        hint: 'Leave other steps out, or register the image as it is.',
        details: { step: 'base' },
      },
    );
  }
  const askedFor: readonly (readonly [step: StepName, option: string, asked: boolean])[] = [
    ['packages', '--package', request.packages.length > 0],
    ['docker', '--docker', request.docker],
    ['modules', '--modules', request.modulesPath !== undefined],
    ['user', 'a script of your own', request.userScript !== undefined],
  ];
  for (const [step, option, asked] of askedFor) {
    if (!asked || !without.has(step)) continue;
    throw new AppError('STEP_INVALID', `The step "${step}" is left out, and ${option} asks for it.`, {
      hint: `Give ${option} or --without ${step}, not both.`,
      details: { step },
    });
  }
}
