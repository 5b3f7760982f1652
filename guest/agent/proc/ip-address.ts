/** Addresses as /proc/net writes them, and as people do. Pure. */

/** @returns NaN for what is no IPv4 address in its usual form. */
export function ipv4Number(text: string): number {
  const octets = text.split('.');
  if (octets.length !== 4) return Number.NaN;
  return octets.reduce((sum, octet) => {
    const value = /^(0|[1-9]\d{0,2})$/.test(octet) ? Number(octet) : Number.NaN;
    return value <= 255 ? sum * 256 + value : Number.NaN;
  }, 0);
}

/**
 * An address of /proc/net/tcp (8 digits) or tcp6 (32): words in the byte order of the machine, which is little-endian
 * on all that the agent is built for.
 *
 * @returns undefined for anything else.
 */
export function parseHexAddress(hex: string): string | undefined {
  if (!/^([0-9A-Fa-f]{8}|[0-9A-Fa-f]{32})$/.test(hex)) return undefined;
  const bytes: number[] = [];
  for (let word = 0; word < hex.length; word += 8) {
    for (let at = word + 6; at >= word; at -= 2) bytes.push(parseInt(hex.slice(at, at + 2), 16));
  }
  return bytes.length === 4 ? bytes.join('.') : formatIpv6(bytes);
}

/** RFC 5952: lower case, no leading zeros, the longest run of zero groups (the first of equals, two at least) as `::`. */
function formatIpv6(bytes: readonly number[]): string {
  const groups = Array.from({ length: 8 }, (_, at) => ((bytes[at * 2] ?? 0) << 8) | (bytes[at * 2 + 1] ?? 0));
  let longest = { from: 0, length: 1 };
  for (let from = 0; from < 8; from += 1) {
    let length = 0;
    while (groups[from + length] === 0) length += 1;
    if (length > longest.length) longest = { from, length };
  }
  const text = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':');
  if (longest.length === 1) return text(groups);
  return `${text(groups.slice(0, longest.from))}::${text(groups.slice(longest.from + longest.length))}`;
}
