/** What `ip -json` says, as far as we read it. Pure. */

export interface LinkFacts {
  readonly name: string;
  /** `bridge`, `tun`, `veth`; empty for hardware. */
  readonly kind: string;
  readonly macAddress: string;
  readonly master: string | undefined;
  /** IPv4 addresses with their prefix: `10.77.0.1/20`. */
  readonly addresses: readonly string[];
}

export interface RouteFacts {
  /** `10.77.0.0/20`; a single address is a /32, `default` is `0.0.0.0/0`. */
  readonly cidr: string;
  /** Empty for routes that lead nowhere (blackhole). */
  readonly device: string;
}

type Fields = Readonly<Record<string, unknown>>;

/** Reads `ip -details -json address show`. */
export function parseLinks(json: string): LinkFacts[] {
  return parseRows(json).map((row) => ({
    name: text(row['ifname']),
    kind: text(fields(row['linkinfo'])['info_kind']),
    macAddress: text(row['address']),
    master: row['master'] === undefined ? undefined : text(row['master']),
    addresses: rows(row['addr_info'])
      .filter((info) => info['family'] === 'inet')
      .map((info) => `${text(info['local'])}/${Number(info['prefixlen'])}`),
  }));
}

/** Reads `ip -4 -json route show`. */
export function parseRoutes(json: string): RouteFacts[] {
  return parseRows(json).map((row) => {
    const destination = text(row['dst']);
    const cidr = destination === 'default' ? '0.0.0.0/0' : destination;
    return { cidr: cidr.includes('/') ? cidr : `${cidr}/32`, device: text(row['dev']) };
  });
}

/** True where `ip -json address show dev X` tells an address that reaches beyond the link. */
export function hasGlobalAddress(json: string): boolean {
  return parseRows(json).some((row) => rows(row['addr_info']).some((info) => info['scope'] === 'global'));
}

/** Nothing found is an empty text; older versions leave empty objects for what a filter took out. */
function parseRows(json: string): Fields[] {
  if (json.trim() === '') return [];
  return rows(JSON.parse(json)).filter((row) => Object.keys(row).length > 0);
}

function rows(value: unknown): Fields[] {
  return Array.isArray(value) ? value.map(fields) : [];
}

function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
