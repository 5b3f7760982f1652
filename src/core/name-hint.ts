import { nearestWord } from '../contracts/nearest-word.ts';

/** Names that are told; there may be hundreds. */
const MAX_NAMES = 20;

/**
 * What to do about a name that nothing has: the one that was probably meant, and those there are.
 *
 * @param words `all` goes before the names ("VMs there are"); `none` is the whole hint where there are none.
 */
export function nameHint(
  given: string,
  known: readonly string[],
  words: { readonly all: string; readonly none: string },
): string {
  if (known.length === 0) return words.none;
  const nearest = nearestWord(given, known);
  const more = known.length > MAX_NAMES ? `, and ${known.length - MAX_NAMES} more` : '';
  const all = `${words.all}: ${known.slice(0, MAX_NAMES).join(', ')}${more}.`;
  return nearest === undefined ? all : `Did you mean "${nearest}"? ${all}`;
}
