/** What a figure is: something banger does, measured beside the same work done by hand. */
import type { Bench } from './bench.ts';

export interface Series {
  /** What was measured: `vm start to ssh`. */
  readonly title: string;
  readonly unit: 'ms' | 'MB';
  /** Upper limit: of the ratio, or of banger's own value. */
  readonly goal: { readonly of: 'ratio' | 'value'; readonly atMost: number };
  /** Samples in the order they were taken; those of one index belong together. */
  readonly banger: readonly number[];
  readonly byHand: readonly number[];
  /** What the other side was: `qemu-system-x86_64 started by hand`. */
  readonly against: string;
}

/** A figure, or a part of one, that was not measured. */
export interface Skip {
  readonly title: string;
  readonly skipped: string;
}

export interface Figure {
  readonly name: string;
  /** How often each side runs where `--runs` is not given. */
  readonly runs: number;
  /** How long it may take; no run begins that would not fit, and one that hangs is ended then. */
  readonly budgetMs: number;
  /** How long it usually takes where guests run in software. */
  readonly usualMs: number;
  /** What is made before its time begins. */
  readonly needs: 'nothing' | 'image' | 'guest';
  measure(bench: Bench, plan: RunPlan): Promise<readonly (Series | Skip)[]>;
}

export interface RunPlan {
  readonly runs: number;
  /** `ms`, as `performance.now()` counts. */
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
}
