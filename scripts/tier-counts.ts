/** Adds up what one test file did; apart from the reporter, so that its arithmetic has a test. */

export interface Skip {
  readonly test: string;
  /** Absent where the test did not say why: that counts as a failure. */
  readonly reason: string | undefined;
}

export interface TierCounts {
  files: number;
  passed: number;
  failed: number;
  skips: Skip[];
}

export type TierResults = Record<string, TierCounts>;

export interface FileOutcome {
  readonly file: string;
  /** Errors outside every suite: the file could not be loaded, or a hook of its own failed. */
  readonly errors: number;
  /** Errors of suites' hooks. */
  readonly suiteErrors: number;
  readonly tests: readonly {
    readonly name: string;
    readonly state: 'pending' | 'passed' | 'failed' | 'skipped';
    readonly note: string | undefined;
    /** Left out by the user's own filter, so it owes no reason. */
    readonly expectedSkip: boolean;
  }[];
}

/** Adds a file's outcome to its tier. What never ran to an end is a failure, not nothing. */
export function countTier(counts: TierCounts, outcome: FileOutcome): void {
  counts.files += 1;
  counts.failed += outcome.errors + outcome.suiteErrors;
  for (const test of outcome.tests) {
    if (test.state === 'passed') counts.passed += 1;
    else if (test.state !== 'skipped') counts.failed += 1;
    else if (!test.expectedSkip) {
      counts.skips.push({ test: `${outcome.file} > ${test.name}`, reason: test.note });
      if (test.note === undefined) counts.failed += 1;
    }
  }
}
