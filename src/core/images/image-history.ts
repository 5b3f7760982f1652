import type { Image, ImageHistory } from '../../contracts/image.ts';

/**
 * Follows an image's sources back, newest first. A source counts only while the image of that name still has that
 * digest; else it is named and the chain ends.
 */
export function collectHistory(image: Image, known: readonly Image[]): ImageHistory['entries'] {
  const entries: ImageHistory['entries'] = [];
  const seen = new Set<string>();
  let current: Image | undefined = image;
  while (current && !seen.has(current.id)) {
    seen.add(current.id);
    const { name, digest, createdAt, provenance }: Image = current;
    entries.push({ imageName: name, digest, createdAt, provenance });
    const source: { name: string; digest: string } | undefined = provenance.source;
    if (!source) break;
    current = known.find(
      (other) => other.name === source.name && other.digest === source.digest && !seen.has(other.id),
    );
    if (!current) entries.push({ imageName: source.name, digest: source.digest });
  }
  return entries;
}
