import type { Session } from '../client/session.ts';
import type { Output } from './output.ts';

/** What every command works with; made once in main.ts. */
export interface Cli {
  readonly output: Output;
  readonly session: Session;
  readonly cwd: string;
  /** The words after the first `--`, for commands that run something; undefined where there is no `--`. */
  readonly guestCommand: readonly string[] | undefined;
  /** True where stdin and stdout are a terminal. */
  readonly isInteractive: boolean;
  /** What TERM says of the terminal. */
  readonly terminalType: string;
  /** Sets what the program exits with; 0 where it is not called. */
  exitWith(status: number): void;
}
