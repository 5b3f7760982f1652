/** What a step's result depends on, as one digest: recorded in an image's provenance, and the key of a cache. Pure. */
import { AppError } from '../app-error.ts';
import { sha256Digest } from '../digest.ts';
import type { StepPlan } from './step-plan.ts';

/** Digests of what the plan only names. */
export interface StepInputs {
  /** By path below `guest/`: the script and every asset among the files. */
  readonly assets: Readonly<Record<string, string>>;
  /** Exact pin of each fetched tree, by the fetch's `to`. */
  readonly pins: Readonly<Record<string, string>>;
  /** Digest of each uploaded folder, by the tree's `to`. */
  readonly trees: Readonly<Record<string, string>>;
}

/**
 * @returns `sha256:...`, the same for the same inputs in whatever order they are named.
 * @throws AppError INTERNAL where an input that the plan names has no digest.
 */
export function stepInputsDigest(step: StepPlan, inputs: StepInputs): string {
  return sha256Digest(
    canonicalJson({
      name: step.name,
      script: known(inputs.assets, step.scriptPath),
      env: step.env,
      files: Object.fromEntries(
        step.files.map(({ to, source }) => [
          to,
          'asset' in source ? known(inputs.assets, source.asset) : sha256Digest(source.content),
        ]),
      ),
      fetches: Object.fromEntries(
        step.fetches.map(({ to, file }) => [to, { file: file ?? null, pin: known(inputs.pins, to) }]),
      ),
      trees: Object.fromEntries(step.trees.map(({ to }) => [to, known(inputs.trees, to)])),
    }),
  );
}

/** Every asset of the guest folder that the step needs, its script first. */
export function stepAssets(step: StepPlan): string[] {
  return [step.scriptPath, ...step.files.flatMap(({ source }) => ('asset' in source ? [source.asset] : []))];
}

function known(digests: Readonly<Record<string, string>>, name: string): string {
  const digest = digests[name];
  if (digest === undefined) throw new AppError('INTERNAL', `The step's input "${name}" has no digest.`);
  return digest;
}

type Json = string | null | { readonly [key: string]: Json };

/** JSON with its keys sorted, so that the order in which an object was made does not show. */
function canonicalJson(value: Json): string {
  if (value === null || typeof value === 'string') return JSON.stringify(value);
  const members = Object.entries(value)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`);
  return `{${members.join(',')}}`;
}
