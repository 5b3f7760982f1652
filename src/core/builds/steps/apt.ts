/** What the steps that install packages have in common. */
import type { StepFile } from '../step-plan.ts';
import type { BuildConfig } from './step-context.ts';

export const APT_LIBRARY: StepFile = { to: 'apt.sh', source: { asset: 'lib/apt.sh' } };
export const APT_SOURCES_LIBRARY: StepFile = { to: 'apt-sources.sh', source: { asset: 'lib/apt-sources.sh' } };

/** The mirrors of the config, as guest/lib/apt-sources.sh takes them. */
export function aptMirrors({ apt }: Pick<BuildConfig, 'apt'>): Readonly<Record<string, string>> {
  return {
    ...(apt.mirror === undefined ? {} : { BANGER_APT_MIRROR: apt.mirror }),
    ...(apt.security_mirror === undefined ? {} : { BANGER_APT_SECURITY_MIRROR: apt.security_mirror }),
  };
}

export function aptProxy(config: BuildConfig): Readonly<Record<string, string>> {
  const { proxy } = config.apt;
  return proxy === undefined ? {} : { BANGER_APT_PROXY: proxy };
}
