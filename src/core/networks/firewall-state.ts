/** What stands in banger's nftables tables, read from `nft -j list ruleset`. Pure. */

export interface LearnedAddress {
  readonly guest: string;
  readonly address: string;
  readonly expiresS: number;
}

/** What of a table is not planned but happened, and outlives its replacement. */
export interface TableState {
  /** Packets by the counter's name. */
  readonly refusals: ReadonlyMap<string, number>;
  readonly learned: readonly LearnedAddress[];
}

export const NO_STATE: TableState = { refusals: new Map(), learned: [] };

/** Tables as they stand. */
export interface FirewallFacts {
  readonly state: TableState;
  /** The same as long as nobody changes anything but what happens by itself: counts, and addresses learned. */
  readonly fingerprint: string;
}

type Fields = Readonly<Record<string, unknown>>;

/** nftables tells these with everything it lists, and they differ with each making of the same rules. */
const PASSING_KEYS = new Set(['handle', 'packets', 'bytes', 'index']);

/**
 * @param json of `nft -j list ruleset`; entries of a kind that we do not know belong to the fingerprint and no more.
 */
export function readFirewall(json: string, tableName: string): FirewallFacts {
  const entries = rows(fields(JSON.parse(json))['nftables']).filter((entry) => isOf(entry, tableName));
  const refusals = new Map<string, number>();
  const learned: LearnedAddress[] = [];
  for (const entry of entries) {
    const counter = fields(entry['counter']);
    if (typeof counter['name'] === 'string') refusals.set(counter['name'], Number(counter['packets']));
    const set = fields(entry['set']);
    if (set['name'] === 'learned') learned.push(...rows(set['elem']).flatMap(readLearned));
  }
  return { state: { refusals, learned }, fingerprint: JSON.stringify(entries.map(withoutPassing)) };
}

function isOf(entry: Fields, tableName: string): boolean {
  return Object.entries(entry).some(
    ([kind, value]) => fields(value)[kind === 'table' ? 'name' : 'table'] === tableName,
  );
}

/** `{"elem": {"val": {"concat": [GUEST, ADDRESS]}, "timeout": 3600, "expires": 1199}}` */
function readLearned(element: Fields): LearnedAddress[] {
  const { val, expires } = fields(element['elem']);
  const pair = fields(val)['concat'];
  if (!Array.isArray(pair)) return [];
  const [guest, address] = pair as readonly unknown[];
  if (typeof guest !== 'string' || typeof address !== 'string') return [];
  return [{ guest, address, expiresS: Number(expires) }];
}

function withoutPassing(entry: Fields): unknown {
  const isLearned = fields(entry['set'])['name'] === 'learned';
  return JSON.parse(
    JSON.stringify(entry, (key, value: unknown) =>
      PASSING_KEYS.has(key) || (isLearned && key === 'elem') ? undefined : value,
    ),
  );
}

function rows(value: unknown): Fields[] {
  return Array.isArray(value) ? value.map(fields) : [];
}

function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}
