/** IPv4 addresses and networks as numbers. */

export interface Cidr {
  /** The address as it was written, host bits and all. */
  readonly address: number;
  readonly prefixLength: number;
}

/** @returns undefined where the text is no dotted quad; leading zeros are none either (they read as octal elsewhere). */
export function parseIpv4(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    value = value * 256 + Number(part);
  }
  return value;
}

export function formatIpv4(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff).join('.');
}

/** @returns undefined where the text is not `ADDRESS/LENGTH`. */
export function parseCidr(text: string): Cidr | undefined {
  const [addressText = '', lengthText = '', ...rest] = text.split('/');
  const address = parseIpv4(addressText);
  if (address === undefined || rest.length > 0 || !/^(0|[1-9]\d?)$/.test(lengthText)) return undefined;
  const prefixLength = Number(lengthText);
  return prefixLength <= 32 ? { address, prefixLength } : undefined;
}

/** Network bits set: 0xfffff000 for 20. */
export function maskOf(prefixLength: number): number {
  // A shift by 32 is a shift by 0 in JavaScript.
  return prefixLength === 0 ? 0 : (0xffffffff << (32 - prefixLength)) >>> 0;
}

export function networkOf(cidr: Cidr): number {
  return (cidr.address & maskOf(cidr.prefixLength)) >>> 0;
}

/** True where the networks share an address. */
export function overlaps(one: Cidr, other: Cidr): boolean {
  const prefixLength = Math.min(one.prefixLength, other.prefixLength);
  return networkOf({ ...one, prefixLength }) === networkOf({ ...other, prefixLength });
}
