/** What running work sees of its operation: stages, log, progress, cancel. */

export interface StageContext {
  readonly signal: AbortSignal;
  /** For the operation's log, one line or several; control characters are the reader's affair. */
  readonly log: (line: string) => void;
  readonly progress: (done: number, total: number) => void;
  /** A short word about the outcome, shown beside the stage. */
  readonly note: (text: string) => void;
}

/** Runs one named stage; its failure fails the stage and is thrown on. */
export type StageRunner = <T>(name: string, work: (stage: StageContext) => Promise<T>) => Promise<T>;

export interface OperationContext {
  readonly id: string;
  /** Aborted with an AppError OPERATION_CANCELLED as its reason. */
  readonly signal: AbortSignal;
  readonly stage: StageRunner;
  /** Marks a stage that was planned and is not needed. */
  readonly skip: (name: string, note: string) => void;
  /**
   * Told by work that fails before it undoes what it made: the stage `clean up` begins, and ends with the work. A stage
   * that fails has told already; only what fails between stages need.
   */
  readonly undoing: () => void;
}
