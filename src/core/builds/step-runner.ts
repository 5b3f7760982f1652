import type { StepRecord } from '../../contracts/image.ts';
import { AppError } from '../app-error.ts';
import type { GuestSession, GuestUpload } from '../vms/ports.ts';
import type { FetchedTree, GuestAssets, TreeDigest } from './ports.ts';
import { stepAssets, type StepInputs, stepInputsDigest } from './step-inputs.ts';
import {
  fetchKey,
  GUEST_BUILD_DIR,
  guestFilePath,
  guestScriptPath,
  stepEnvironment,
  type StepFetch,
  type StepPlan,
} from './step-plan.ts';

export interface StepRun {
  readonly step: StepPlan;
  readonly session: GuestSession;
  /** By `fetchKey`. */
  readonly fetched: ReadonlyMap<string, FetchedTree>;
  readonly operationId: string;
  /** Deadline of the script, already scaled to the engine. */
  readonly timeoutMs: number;
}

interface StepControl {
  readonly signal: AbortSignal;
  log(line: string): void;
}

/** Removing what the build uploaded. */
const TIDY_TIMEOUT_MS = 120_000;

/** Uploads a step's script and inputs into the guest and runs it there. */
export class StepRunner {
  readonly #assets: GuestAssets;
  readonly #treeDigest: TreeDigest;
  readonly #now: () => Date;

  constructor(assets: GuestAssets, treeDigest: TreeDigest, now: () => Date) {
    this.#assets = assets;
    this.#treeDigest = treeDigest;
    this.#now = now;
  }

  /** @throws AppError BUILD_STEP_FAILED with the script's last words; BUILD_STEP_TIMEOUT; GUEST_UNREACHABLE. */
  async run(run: StepRun, control: StepControl): Promise<StepRecord> {
    const { step, session } = run;
    const startedAt = this.#now();
    const inputsDigest = stepInputsDigest(step, await this.#inputs(run, control.signal));
    await session.upload(await this.#uploads(run), control.signal);
    for (const [hostDir, guestDir] of treesOf(run)) await session.uploadTree(hostDir, guestDir, control.signal);
    const script = {
      program: '/bin/bash',
      args: [guestScriptPath(step)],
      env: stepEnvironment(step),
      timeoutMs: run.timeoutMs,
      onLine: (line: string) => control.log(line),
    };
    const { exitStatus, tail } = await session.run(script, control.signal).catch((error: unknown) => {
      throw stepTimedOut(run, error);
    });
    if (exitStatus !== 0) throw stepFailed(run, exitStatus, tail);
    return {
      name: step.name,
      inputsDigest,
      startedAt: startedAt.toISOString(),
      durationMs: this.#now().getTime() - startedAt.getTime(),
      outcome: 'succeeded',
    };
  }

  /** Takes everything that the build uploaded out of the guest again. */
  async tidy(session: GuestSession, signal: AbortSignal): Promise<void> {
    const { exitStatus, tail } = await session.run(
      { program: '/bin/rm', args: ['-rf', GUEST_BUILD_DIR], timeoutMs: TIDY_TIMEOUT_MS },
      signal,
    );
    if (exitStatus === 0) return;
    throw new AppError('CLEANUP_FAILED', `Could not remove ${GUEST_BUILD_DIR} from the guest.`, { details: { tail } });
  }

  async #inputs({ step, fetched }: StepRun, signal: AbortSignal): Promise<StepInputs> {
    const assets: Record<string, string> = {};
    for (const path of stepAssets(step)) assets[path] = (await this.#assets.read(path)).digest;
    const pins: Record<string, string> = {};
    for (const fetch of step.fetches) pins[fetch.to] = fetchedTree(fetch, fetched).pin;
    const trees: Record<string, string> = {};
    for (const { hostDir, to } of step.trees) trees[to] = await this.#treeDigest(hostDir, signal);
    return { assets, pins, trees };
  }

  async #uploads({ step, fetched }: StepRun): Promise<GuestUpload[]> {
    const script = await this.#assets.read(step.scriptPath);
    const uploads: GuestUpload[] = [
      { guestPath: guestScriptPath(step), mode: 0o755, source: { content: script.content } },
    ];
    for (const { to, source } of step.files) {
      const content = 'asset' in source ? (await this.#assets.read(source.asset)).content : source.content;
      uploads.push({ guestPath: guestFilePath(step, to), mode: 0o644, source: { content } });
    }
    for (const fetch of step.fetches) {
      if (fetch.file === undefined) continue;
      const hostPath = `${fetchedTree(fetch, fetched).dir}/${fetch.file}`;
      uploads.push({ guestPath: guestFilePath(step, fetch.to), mode: 0o755, source: { hostPath } });
    }
    return uploads;
  }
}

/** Whole folders to upload: from where on the host, to where in the guest. */
function treesOf({ step, fetched }: StepRun): readonly (readonly [hostDir: string, guestDir: string])[] {
  return [
    ...step.trees.map(({ hostDir, to }) => [hostDir, guestFilePath(step, to)] as const),
    ...step.fetches
      .filter((fetch) => fetch.file === undefined)
      .map((fetch) => [fetchedTree(fetch, fetched).dir, guestFilePath(step, fetch.to)] as const),
  ];
}

function fetchedTree(fetch: StepFetch, fetched: ReadonlyMap<string, FetchedTree>): FetchedTree {
  const tree = fetched.get(fetchKey(fetch.spec));
  if (!tree) throw new AppError('INTERNAL', `The source ${fetchKey(fetch.spec)} was not fetched.`);
  return tree;
}

/** What the session says of a program that was cut, said of the step; any other error is itself. */
function stepTimedOut(run: StepRun, error: unknown): unknown {
  if (!(error instanceof AppError) || error.code !== 'BUILD_STEP_TIMEOUT') return error;
  const { name } = run.step;
  const seconds = Math.round(run.timeoutMs / 1000);
  return new AppError('BUILD_STEP_TIMEOUT', `Step "${name}" ran longer than its ${seconds} s and was ended.`, {
    hint:
      `Its output so far: banger op logs ${run.operationId}. ` +
      `Give it more time by --step-timeout, or leave it out by --without ${name}.`,
    details: { ...error.details, step: name },
    cause: error,
  });
}

function stepFailed(run: StepRun, exitStatus: number, tail: readonly string[]): AppError {
  const lastWords = tail.findLast((line) => line.trim() !== '') ?? 'it said nothing';
  return new AppError('BUILD_STEP_FAILED', `Step "${run.step.name}" failed with status ${exitStatus}: ${lastWords}`, {
    hint: `Its whole output: banger op logs ${run.operationId}`,
    details: { step: run.step.name, exitStatus, tail },
  });
}
