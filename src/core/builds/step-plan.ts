/** What a build step is before it runs: a script, its inputs, its deadline. Plain data, made by `build-plan.ts`. */
import type { StepName } from '../../contracts/build.ts';
import type { FetchSpec } from './ports.ts';

/** Scripts and their inputs lie here while a build runs: on disk, since a tmpfs would be too small; removed at its end. */
export const GUEST_BUILD_DIR = '/var/lib/banger-build';

/** A small file that the step reads below `$BANGER_FILES`. */
export interface StepFile {
  /** Relative to `$BANGER_FILES`. */
  readonly to: string;
  readonly source: { /** As `GuestAssets` takes it. */ readonly asset: string } | { readonly content: string };
}

/** Something fetched from outside by the host, and uploaded. */
export interface StepFetch {
  readonly spec: FetchSpec;
  /** The one file of the fetched tree that is needed; undefined: the whole tree. */
  readonly file: string | undefined;
  /** Relative to `$BANGER_FILES`: a file, or a folder where the whole tree goes. */
  readonly to: string;
}

/** A folder of the user's that is uploaded. */
export interface StepTree {
  readonly hostDir: string;
  /** Relative to `$BANGER_FILES`. */
  readonly to: string;
}

export interface StepPlan {
  readonly name: StepName;
  /** Relative to the project's `guest/`: `steps/base.sh`. */
  readonly scriptPath: string;
  /** Besides `BANGER_FILES`, which `stepEnvironment` adds. */
  readonly env: Readonly<Record<string, string>>;
  readonly files: readonly StepFile[];
  readonly fetches: readonly StepFetch[];
  readonly trees: readonly StepTree[];
  /** Deadline of the script on KVM; multiplied by the engine's slowness. */
  readonly timeoutMs: number;
}

/** Where the step's script lies in the guest. */
export function guestScriptPath(step: Pick<StepPlan, 'name'>): string {
  return `${GUEST_BUILD_DIR}/steps/${step.name}.sh`;
}

/** Where an input of the step lies in the guest; without `to`, the folder `$BANGER_FILES` itself. */
export function guestFilePath(step: Pick<StepPlan, 'name'>, to?: string): string {
  const dir = `${GUEST_BUILD_DIR}/files/${step.name}`;
  return to === undefined ? dir : `${dir}/${to}`;
}

/** The script's whole environment of banger's making. */
export function stepEnvironment(step: StepPlan): Readonly<Record<string, string>> {
  return { ...step.env, BANGER_FILES: guestFilePath(step) };
}

/** Names a source: one fetch, one place in the cache. A commit is the same wherever it comes from. */
export function fetchKey(spec: FetchSpec): string {
  if (spec.kind === 'git') return `git:${spec.commit}`;
  return `npm:${spec.packageName}@${spec.version}:${spec.integrity ?? 'unpinned'}`;
}
