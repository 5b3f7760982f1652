/** Reads the daemon's orders. By hand and not by a schema: the schemas' library would take more memory than all the rest. */
import { isIPv4 } from 'node:net';
import { FORWARDING_VERSION, type ForwardingOrder } from '../contracts/forwarding.ts';

/**
 * @throws Error for what is no order, is of another version, or asks for an address outside of 127.77.0.0/16: whatever the
 * daemon's fault may be, nothing else is ever bound.
 */
export function parseOrder(line: string): ForwardingOrder {
  const order = record(JSON.parse(line));
  if (order['version'] !== FORWARDING_VERSION) throw new Error(`an order of version ${String(order['version'])}`);
  return {
    version: FORWARDING_VERSION,
    revision: integer(order['revision'], Number.MAX_SAFE_INTEGER),
    dnsAddress: ours(order['dnsAddress']),
    names: list(order['names']).map((name) => ({ name: text(name['name']), address: ipv4(name['address']) })),
    forwards: list(order['forwards']).map((forward) => ({
      vmName: text(forward['vmName']),
      address: ours(forward['address']),
      ports: array(forward['ports']).map((port) => integer(port, 65_535)),
    })),
  };
}

type Fields = Readonly<Record<string, unknown>>;

function record(value: unknown): Fields {
  if (typeof value !== 'object' || value === null) throw new Error('an order that is no object');
  return value as Fields;
}

function array(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new Error('an order without one of its lists');
  return value;
}

function list(value: unknown): readonly Fields[] {
  return array(value).map(record);
}

function text(value: unknown): string {
  if (typeof value !== 'string' || !/^[a-z0-9-]{1,63}$/.test(value)) throw new Error('an order with a wrong name');
  return value;
}

function integer(value: unknown, most: number): number {
  if (!Number.isInteger(value) || Number(value) < 1 || Number(value) > most) throw new Error('an order out of bounds');
  return Number(value);
}

function ipv4(value: unknown): string {
  if (typeof value !== 'string' || !isIPv4(value)) throw new Error('an order with a wrong address');
  return value;
}

function ours(value: unknown): string {
  const address = ipv4(value);
  if (!address.startsWith('127.77.')) throw new Error(`an order to bind ${address}, which is outside of 127.77.0.0/16`);
  return address;
}
