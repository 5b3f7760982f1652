/** Whether two IPv4 networks share addresses. */
import type { RouteFact } from './ports.ts';

interface Range {
  readonly first: number;
  readonly last: number;
}

/** The first route whose destination shares addresses with `cidr`; `default` shares with none. */
export function findOverlap(cidr: string, routes: readonly RouteFact[]): RouteFact | undefined {
  const ours = rangeOf(cidr);
  if (!ours) return undefined;
  return routes.find(({ destination }) => {
    const theirs = rangeOf(destination);
    return theirs !== undefined && theirs.first <= ours.last && ours.first <= theirs.last;
  });
}

/** @returns undefined where the text is no IPv4 address or network: `default`, an IPv6 route. */
function rangeOf(text: string): Range | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:\/(\d{1,2}))?$/.exec(text);
  if (!match) return undefined;
  const address = match.slice(1, 5).reduce((value, octet) => value * 256 + Number(octet), 0);
  const size = 2 ** (32 - Number(match[5] ?? 32));
  const first = address - (address % size);
  return { first, last: first + size - 1 };
}
