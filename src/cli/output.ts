import { createColors } from 'picocolors';
import { type Column, tableLines } from './table.ts';
import { safeJson } from './terminal-text.ts';

interface Terminal {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

interface OutputOptions {
  readonly stdout: Terminal;
  readonly stderr: Terminal;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** True where the user asked for JSON: nothing but JSON goes to stdout, and no progress is shown. */
  readonly json: boolean;
}

export type Colors = ReturnType<typeof createColors>;

/** Results go to stdout, everything said about the work to stderr. */
export class Output {
  readonly json: boolean;
  /** Colours for stderr. */
  readonly colors: Colors;
  readonly #stdout: Terminal;
  readonly #stderr: Terminal;

  constructor(options: OutputOptions) {
    this.#stdout = options.stdout;
    this.#stderr = options.stderr;
    this.json = options.json;
    this.colors = createColors(wantsColor(options.stderr, options.env));
  }

  /** True where live stages can be drawn. */
  get isLive(): boolean {
    return this.#stderr.isTTY === true && !this.json;
  }

  /** Columns for what is noted; Infinity where stderr is no terminal. */
  get noteWidth(): number {
    return columnsOf(this.#stderr);
  }

  /** Lines of the result. The caller has made foreign text visible. */
  print(...lines: readonly string[]): void {
    if (lines.length > 0) this.#stdout.write(`${lines.join('\n')}\n`);
  }

  printJson(value: unknown): void {
    this.#stdout.write(`${safeJson(value)}\n`);
  }

  /** Columns for what is printed; Infinity where stdout is no terminal: there nothing is cut. */
  get width(): number {
    return columnsOf(this.#stdout);
  }

  /** A table; off a terminal nothing in it is cut. */
  printTable(columns: readonly Column[], rows: readonly (readonly string[])[]): void {
    this.print(...tableLines(columns, rows, this.width));
  }

  /** Lines about the work. */
  note(...lines: readonly string[]): void {
    if (lines.length > 0) this.#stderr.write(`${lines.join('\n')}\n`);
  }

  /** Bytes for the terminal on stderr as they are. */
  draw(text: string): void {
    this.#stderr.write(text);
  }
}

/** 80 where a terminal does not say, or says 0, as one does that nobody has given a size. */
function columnsOf(terminal: Terminal): number {
  return terminal.isTTY ? terminal.columns || 80 : Infinity;
}

/** https://no-color.org: any value that is not empty; FORCE_COLOR as in Node itself. */
function wantsColor(terminal: Terminal, env: OutputOptions['env']): boolean {
  if (env['NO_COLOR']) return false;
  if (env['FORCE_COLOR']) return env['FORCE_COLOR'] !== '0';
  return terminal.isTTY === true && env['TERM'] !== 'dumb';
}
