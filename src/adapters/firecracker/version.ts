/** What differs between Firecracker's releases, as far as the driver must know. Pure. */

export interface FirecrackerVersion {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
  /** `1.17.0-dev`. */
  readonly text: string;
}

/** The first with `/serial`, and the first that makes its log and metrics files itself. */
const OLDEST = { major: 1, minor: 14 } as const;
/** The last whose bodies and behaviour the driver was written from. */
const NEWEST = { major: 1, minor: 16 } as const;

const KNOWN_VERSIONS = `${OLDEST.major}.${OLDEST.minor} to ${NEWEST.major}.${NEWEST.minor}`;

/** @param text `Firecracker v1.16.1`, as `--version` prints it, `Jailer v1.16.1`, or `1.16.1`, as the API has it. */
export function parseVersion(text: string): FirecrackerVersion | undefined {
  const match = /(?:^|[\sv])((\d{1,4})\.(\d{1,4})\.(\d{1,4})(?:-[0-9A-Za-z.-]{1,32})?)(?:\s|$)/.exec(text);
  if (!match) return undefined;
  const [, whole = '', major, minor, patch] = match;
  return { major: Number(major), minor: Number(minor), patch: Number(patch), text: whole };
}

export function isAtLeast(
  version: FirecrackerVersion,
  wanted: { readonly major: number; readonly minor: number },
): boolean {
  return version.major > wanted.major || (version.major === wanted.major && version.minor >= wanted.minor);
}

/** Why such a Firecracker is not used; undefined where it is. */
export function versionRefusal(version: FirecrackerVersion): string | undefined {
  if (isAtLeast(version, OLDEST)) return undefined;
  return `Firecracker ${version.text} is too old: ${OLDEST.major}.${OLDEST.minor} is the oldest that banger can use.`;
}

/** Said where a Firecracker is used that the driver was not written for; undefined where it was. */
export function versionWarning(version: FirecrackerVersion): string | undefined {
  const { major, minor } = NEWEST;
  if (!isAtLeast(version, { major, minor: minor + 1 })) return undefined;
  return `Firecracker ${version.text} is newer than what banger was written for (${KNOWN_VERSIONS}).`;
}

/**
 * From 1.16.0 to 1.16.1 every new connection to a guest's vsock hangs for ever once its machine was paused and resumed
 * (firecracker issue 6074): the agent would never be heard again.
 *
 * @returns why its machines are not paused; undefined where they can be.
 */
export function pauseRefusal({ major, minor, patch, text }: FirecrackerVersion): string | undefined {
  if (major !== 1 || minor !== 16 || patch > 1) return undefined;
  return `Firecracker ${text} loses the way to a guest's agent when its machine is paused and resumed; another release does not.`;
}

/** Uncompressed ELF alone up to 1.16; the next release takes a bzImage as well (firecracker pull request 6037). */
export function kernelFormatsOf(version: FirecrackerVersion): readonly ('bzimage' | 'elf')[] {
  return isAtLeast(version, { major: 1, minor: 17 }) ? ['bzimage', 'elf'] : ['elf'];
}
