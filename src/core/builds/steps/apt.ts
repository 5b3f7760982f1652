/** What the steps that install packages have in common. */
import type { StepFile } from '../step-plan.ts';
import type { BuildConfig } from './step-context.ts';

export const APT_LIBRARY: StepFile = { to: 'apt.sh', source: { asset: 'lib/apt.sh' } };

export function aptProxy(config: BuildConfig): Readonly<Record<string, string>> {
  const { proxy } = config.apt;
  return proxy === undefined ? {} : { BANGER_APT_PROXY: proxy };
}
