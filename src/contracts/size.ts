/** Sizes as people write them. One grammar for the CLI, the config file and the console. */

const UNITS: Readonly<Record<string, bigint>> = {
  '': 1n,
  k: 1n << 10n,
  m: 1n << 20n,
  g: 1n << 30n,
  t: 1n << 40n,
};

const SIZE_PATTERN = /^(\d{1,16})(?:\.(\d{1,6}))?(?:([kmgt])(?:i?b)?|b)?$/i;

/**
 * Reads `512M`, `8G`, `1.5GiB` or plain bytes as a number of bytes.
 * Units are powers of 1024, as in `truncate` and `qemu-img`.
 *
 * @returns undefined where the text is not a size, is not a whole number of bytes,
 * or is larger than `Number.MAX_SAFE_INTEGER`; it never guesses.
 */
export function parseSize(text: string): number | undefined {
  const match = SIZE_PATTERN.exec(text);
  if (!match?.[1]) return undefined;
  const unit = UNITS[(match[3] ?? '').toLowerCase()] ?? 1n;
  const fraction = match[2] ?? '';
  const scale = 10n ** BigInt(fraction.length);
  const scaled = BigInt(match[1] + fraction) * unit;
  if (scaled % scale !== 0n) return undefined;
  const bytes = scaled / scale;
  return bytes <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(bytes) : undefined;
}

/** Writes bytes for people: the largest unit that leaves at least 1, one decimal at most (`1.5G`). */
export function formatSize(bytes: number): string {
  const units = ['', 'K', 'M', 'G', 'T'];
  let value = bytes;
  let index = 0;
  // 1023.5 would be written as 1024: it belongs to the next unit already.
  while (Math.round(value) >= 1024 && index < units.length - 1) {
    value /= 1024;
    index += 1;
  }
  const rounded = value >= 10 || Number.isInteger(value) ? Math.round(value) : Number(value.toFixed(1));
  return `${rounded}${units[index] ?? ''}${index === 0 ? 'B' : ''}`;
}

/** Writes bytes so that `parseSize` reads the very same number: the largest unit that divides them, else bytes. */
export function exactSize(bytes: number): string {
  const units = ['T', 'G', 'M', 'K'];
  for (const [index, unit] of units.entries()) {
    const unitBytes = 1024 ** (units.length - index);
    if (bytes >= unitBytes && bytes % unitBytes === 0) return `${bytes / unitBytes}${unit}`;
  }
  return `${bytes}B`;
}
