/** /proc/net/route. Pure but for `isCard`. */

/** `Flags`: the route is in use (RTF_UP of route(7)). */
const RTF_UP = 0x1;

/**
 * Can the guest be reached by now? It can where a network card has any route, which comes with its address, or where any
 * interface but the loopback has the default route: a bridge that a card is part of. A bridge for containers has neither.
 *
 * @param isCard tells whether an interface is a network card, as opposed to a bridge or the like.
 */
export function hasNetwork(text: string, isCard: (name: string) => boolean): boolean {
  return text.split('\n').some((line) => {
    const [name = '', destination, , flags = ''] = line.split('\t').map((field) => field.trim());
    const isUp = (parseInt(flags, 16) & RTF_UP) !== 0;
    return isUp && name !== 'lo' && (destination === '00000000' || isCard(name));
  });
}
