/** What `nft monitor` and `ip monitor link` say, as far as it concerns us. Pure. */
import type { Refusal } from '../../core/networks/ports.ts';

/** A line of `nft monitor`. */
export type MonitorLine =
  | { readonly kind: 'rules' }
  /** The changes before it belong together, and are all told. */
  | { readonly kind: 'end' }
  | { readonly kind: 'refusal'; readonly refusal: Refusal }
  | { readonly kind: 'other' };

/** Only what the rules refuse is traced, so every packet in a trace of our table is one that was refused. */
export function readNftLine(line: string, tableName: string): MonitorLine {
  if (line.startsWith('# new generation')) return { kind: 'end' };
  const trace = /^trace id \w+ inet (\S+) \S+ packet: (.*)$/.exec(line);
  if (trace) {
    const refusal = trace[1] === tableName ? refusalIn(trace[2] ?? '') : undefined;
    return refusal ? { kind: 'refusal', refusal } : { kind: 'other' };
  }
  // `add element inet TABLE SET { ... }`
  const [verb, what, family, table = '', set] = line.split(' ');
  const isOurs = table.replace(/;$/, '') === tableName && (family === 'inet' || family === 'netdev');
  if (!isOurs || verb === 'trace') return { kind: 'other' };
  return what === 'element' && set === 'learned' ? { kind: 'other' } : { kind: 'rules' };
}

function refusalIn(packet: string): Refusal | undefined {
  const addresses = / ip saddr (\S+) ip daddr (\S+) /.exec(packet);
  if (!addresses) return undefined;
  const [, guest = '', target = ''] = addresses;
  const port = / (tcp|udp) sport \d+ \1 dport (\d+)/.exec(packet);
  const protocol = / ip protocol (\S+) /.exec(packet)?.[1] ?? 'ip';
  return { guest, what: port ? `${port[1]} ${target}:${port[2]}` : `${protocol} ${target}` };
}

/** A line of `ip monitor link` that tells of the end of an interface. */
export function isLinkDeleted(line: string): boolean {
  return line.startsWith('Deleted ');
}
