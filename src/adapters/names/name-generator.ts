import { adjectives, animals, uniqueNamesGenerator } from 'unique-names-generator';

/** A name for a VM that nobody named: `calm-otter`. Some words of the lists hold other characters: these become "-". */
export function suggestName(): string {
  const name = uniqueNamesGenerator({ dictionaries: [adjectives, animals], separator: '-', style: 'lowerCase' });
  return name.replaceAll(/[^a-z0-9-]+/g, '-');
}
