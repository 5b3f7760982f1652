import { createHash } from 'node:crypto';

/** SHA-256 of a text or bytes, in the form used everywhere: `sha256:` and 64 hexadecimal digits. */
export function sha256Digest(content: string | Uint8Array): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}

/** One digest for a list whose order does not matter. */
export function listDigest(lines: readonly string[]): string {
  return sha256Digest(lines.toSorted().join('\n'));
}
