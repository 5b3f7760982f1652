import { describe, expect, test } from 'vitest';
import { AppError } from '../../../../src/core/app-error.ts';
import { sourceErrorOfStep } from '../../../../src/core/builds/source-error.ts';
import { stepAssets, type StepInputs, stepInputsDigest } from '../../../../src/core/builds/step-inputs.ts';
import type { StepPlan } from '../../../../src/core/builds/step-plan.ts';

const STEP: StepPlan = {
  name: 'tmux',
  scriptPath: 'steps/tmux.sh',
  env: { A: '1', B: '2' },
  files: [
    { to: 'tmux.conf', source: { asset: 'lib/tmux.conf' } },
    { to: 'note', source: { content: 'text' } },
  ],
  fetches: [{ spec: { kind: 'git', url: 'https://a.example', commit: 'c1' }, file: undefined, to: 'tpm' }],
  trees: [{ hostDir: '/host/a', to: 'tree' }],
  timeoutMs: 1000,
};

const INPUTS: StepInputs = {
  assets: { 'steps/tmux.sh': 'sha256:1', 'lib/tmux.conf': 'sha256:2' },
  pins: { tpm: 'c1' },
  trees: { tree: 'sha256:3' },
};

const DIGEST = stepInputsDigest(STEP, INPUTS);

test('it is a digest of the usual form, and names the same inputs for ever', () => {
  expect(DIGEST).toMatch(/^sha256:[0-9a-f]{64}$/);
  // Frozen: a change here makes every recorded digest incomparable.
  expect(DIGEST).toBe('sha256:9aed3280a9d50680e213abf0eea64fad2b9cfe6a29162c2fa74205bd023507ce');
});

describe('what does not change a result does not change it', () => {
  test.each<{ name: string; step: StepPlan }>([
    { name: 'the order of the environment', step: { ...STEP, env: { B: '2', A: '1' } } },
    { name: 'the order of files', step: { ...STEP, files: STEP.files.toReversed() } },
    { name: 'the deadline', step: { ...STEP, timeoutMs: 5 } },
    { name: 'the place of a tree on the host', step: { ...STEP, trees: [{ hostDir: '/elsewhere', to: 'tree' }] } },
    {
      name: 'the mirror of a commit',
      step: {
        ...STEP,
        fetches: [{ spec: { kind: 'git', url: 'file:///m', commit: 'c1' }, file: undefined, to: 'tpm' }],
      },
    },
  ])('$name', ({ step }) => {
    expect(stepInputsDigest(step, INPUTS)).toBe(DIGEST);
  });
});

describe('every input changes it', () => {
  test.each<{ name: string; step?: StepPlan; inputs?: Partial<StepInputs> }>([
    { name: 'the script', inputs: { assets: { ...INPUTS.assets, 'steps/tmux.sh': 'sha256:x' } } },
    { name: 'an asset', inputs: { assets: { ...INPUTS.assets, 'lib/tmux.conf': 'sha256:x' } } },
    { name: 'a pin', inputs: { pins: { tpm: 'c2' } } },
    { name: 'a tree', inputs: { trees: { tree: 'sha256:x' } } },
    { name: 'a variable', step: { ...STEP, env: { A: '1', B: '3' } } },
    { name: 'the place of a value', step: { ...STEP, env: { A: '2', B: '1' } } },
    {
      name: 'a content',
      step: { ...STEP, files: [...STEP.files.slice(0, 1), { to: 'note', source: { content: 'x' } }] },
    },
    {
      name: 'the file of a fetched tree',
      step: { ...STEP, fetches: STEP.fetches.map((fetch) => ({ ...fetch, file: 'bin' })) },
    },
    { name: 'the name', step: { ...STEP, name: 'mise' } },
  ])('$name', ({ step = STEP, inputs = {} }) => {
    expect(stepInputsDigest(step, { ...INPUTS, ...inputs })).not.toBe(DIGEST);
  });
});

test('an input without a digest is a fault, never left out', () => {
  expect(() => stepInputsDigest(STEP, { ...INPUTS, pins: {} })).toThrow(expect.objectContaining({ code: 'INTERNAL' }));
});

test('assets of a step: its script and its files', () => {
  expect(stepAssets(STEP)).toEqual(['steps/tmux.sh', 'lib/tmux.conf']);
});

test('a source that fails is told with the step that needs it', () => {
  const failure = new AppError('SOURCE_UNREACHABLE', 'tpm could not be fetched', { details: { address: 'x' } });
  expect(sourceErrorOfStep(failure, 'tmux')).toMatchObject({
    code: 'SOURCE_UNREACHABLE',
    message: failure.message,
    hint: expect.stringContaining('--without tmux'),
    details: { address: 'x', step: 'tmux' },
  });
  const other = new AppError('OPERATION_CANCELLED', 'cancelled');
  expect(sourceErrorOfStep(other, 'tmux')).toBe(other);
});
