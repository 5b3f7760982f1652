import { cut, visible, wrap } from './terminal-text.ts';

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
  /** It may be cut down to this many characters where the table is too wide. */
  readonly least?: number;
  /** Left out where the table is still too wide, the highest number first. */
  readonly leaveOut?: number;
}

const GAP = '  ';

/**
 * A table of plain lines, the first one its head. Where it does not fit, columns that may be cut are cut, the widest
 * first; then columns are left out. Control characters in cells are made visible.
 *
 * @param width columns of the terminal; Infinity where the output is no terminal.
 */
export function tableLines(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width: number,
): readonly string[] {
  const cells = rows.map((row) => columns.map((_, index) => visible(row[index] ?? '')));
  const natural = columns.map((column, index) =>
    Math.max(column.title.length, ...cells.map((row) => row[index]?.length ?? 0)),
  );
  const kept = columns.map((_, index) => index);
  let widths = fit(columns, natural, { kept, width });
  while (!widths) {
    const victim = kept.toSorted((a, b) => (columns[b]?.leaveOut ?? 0) - (columns[a]?.leaveOut ?? 0))[0];
    if (victim === undefined || columns[victim]?.leaveOut === undefined) break;
    kept.splice(kept.indexOf(victim), 1);
    widths = fit(columns, natural, { kept, width });
  }
  const line = (row: readonly string[]): string =>
    kept
      .map((index) => {
        const cell = cut(row[index] ?? '', widths?.[index] ?? natural[index] ?? 0);
        const space = widths?.[index] ?? natural[index] ?? 0;
        return columns[index]?.align === 'right' ? cell.padStart(space) : cell.padEnd(space);
      })
      .join(GAP)
      .trimEnd();
  return [line(columns.map(({ title }) => title)), ...cells.map(line)];
}

/** Widths of the kept columns that fit; undefined where they cannot. */
function fit(
  columns: readonly Column[],
  natural: readonly number[],
  room: { readonly kept: readonly number[]; readonly width: number },
): readonly number[] | undefined {
  const widths = [...natural];
  const total = (): number =>
    room.kept.reduce((sum, index) => sum + (widths[index] ?? 0), 0) + GAP.length * (room.kept.length - 1);
  for (let over = total() - room.width; over > 0; over = total() - room.width) {
    const widest = room.kept
      .filter((index) => (widths[index] ?? 0) > (columns[index]?.least ?? Infinity))
      .toSorted((a, b) => (widths[b] ?? 0) - (widths[a] ?? 0))[0];
    if (widest === undefined) return undefined;
    // One character at a time: two long columns share the loss.
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return widths;
}

/**
 * `key: value` lines with the values in one column, in which a long one goes on; pairs without a value are left out.
 *
 * @param columns of the terminal; Infinity where the output is no terminal.
 */
export function detailLines(
  pairs: readonly (readonly [key: string, value: string | undefined])[],
  columns: number,
): readonly string[] {
  const shown = pairs.filter((pair): pair is readonly [string, string] => pair[1] !== undefined);
  const width = Math.max(0, ...shown.map(([key]) => key.length));
  return shown.flatMap(([key, value]) =>
    wrap(visible(value), columns - width - 2).map(
      (line, index) => `${(index === 0 ? `${key}:` : '').padEnd(width + 2)}${line}`,
    ),
  );
}
