/** What a step's plan is made from. */
import type { BuildRequest } from '../../../contracts/build.ts';
import type { Config } from '../../../contracts/config.ts';

/** The part of the config that builds look at. */
export type BuildConfig = Pick<Config, 'apt' | 'build' | 'sources'>;

export interface BuildFacts {
  /** The key that lets banger in, `authorized_keys` form. */
  readonly authorizedKey: string;
  /** Kernel version that the request's modules tree is for; undefined where the request names none. */
  readonly modulesVersion: string | undefined;
}

export interface StepContext {
  readonly request: BuildRequest;
  readonly config: BuildConfig;
  readonly facts: BuildFacts;
  /** What the step `packages` installs: no name twice, first seen first. */
  readonly packages: readonly string[];
}
