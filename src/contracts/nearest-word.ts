/** The word that was probably meant: the nearest by edits, where it is near at all. */
export function nearestWord(given: string, known: readonly string[]): string | undefined {
  // A third of the letters may be wrong; more, and the advice would be a guess.
  const mostEdits = Math.max(1, Math.floor(given.length / 3));
  const [best] = known
    // Each letter too many or too few is an edit: what is far in length needs no look, however long it is.
    .filter((word) => Math.abs(word.length - given.length) <= mostEdits)
    .map((word) => ({ word, distance: editDistance(given.toLowerCase(), word.toLowerCase()) }))
    .toSorted((left, right) => left.distance - right.distance);
  return best && best.distance <= mostEdits ? best.word : undefined;
}

/** Insertions, deletions, replacements and swaps of neighbours (optimal string alignment). */
function editDistance(left: string, right: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: right.length + 1 }, (_, column) => column);
  for (let row = 1; row <= left.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= right.length; column += 1) {
      const isSame = left[row - 1] === right[column - 1];
      const candidates = [
        cell(last, column) + 1,
        cell(current, column - 1) + 1,
        cell(last, column - 1) + (isSame ? 0 : 1),
      ];
      const isSwap = row > 1 && left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1];
      if (isSwap) candidates.push(cell(beforeLast, column - 2) + 1);
      current.push(Math.min(...candidates));
    }
    beforeLast = last;
    last = current;
  }
  return cell(last, right.length);
}

function cell(row: readonly number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY;
}
