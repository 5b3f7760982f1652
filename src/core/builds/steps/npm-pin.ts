import type { NpmPin } from '../pins.ts';
import type { FetchSpec } from '../ports.ts';

/** The pin, or the version the config names: then its integrity is what the registry says. */
export function npmFetch(pin: NpmPin, version: string | undefined): Extract<FetchSpec, { kind: 'npm' }> {
  const { packageName } = pin;
  if (version === undefined || version === pin.version) {
    return { kind: 'npm', packageName, version: pin.version, integrity: pin.integrity };
  }
  return { kind: 'npm', packageName, version, integrity: undefined };
}
