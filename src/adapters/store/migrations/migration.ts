/** One step of the schema. Forward only; once released it is never edited, the next one mends it. */
export interface Migration {
  /** From 1, without gaps: SQLite's `user_version` once it is done. */
  readonly version: number;
  /** What it brings, for the log. */
  readonly title: string;
  readonly up: string;
}
