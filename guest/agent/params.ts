/** Parameters of each request, checked by hand. Pure. */
import type { AgentMethod, AgentParams } from '../../src/contracts/agent-messages.ts';
import { isInteger } from './host-message.ts';
import { ipv4Number } from './proc/ip-address.ts';

/** Parameters that are not of the form; the message says which. */
export class BadParams extends Error {
  override readonly name = 'BadParams';
}

type Raw = Readonly<Record<string, unknown>>;
type ParamsParsers = { readonly [Method in AgentMethod]: (raw: Raw) => AgentParams<Method> };

const HOSTNAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const MAX_NAME_SERVERS = 3;
const none = (): Record<string, never> => ({});

/** @throws BadParams */
export const PARAMS: ParamsParsers = {
  health: none,
  ports: none,
  stats: none,
  sync: none,
  powerOff: none,
  bootId: none,
  watchPorts({ enabled }) {
    if (typeof enabled !== 'boolean') throw new BadParams('enabled is true or false');
    return { enabled };
  },
  setClock({ epochMs }) {
    if (!isInteger(epochMs, 0, Number.MAX_SAFE_INTEGER)) throw new BadParams('epochMs is a whole number from 0 on');
    return { epochMs };
  },
  setHostname({ hostname }) {
    if (typeof hostname !== 'string' || !HOSTNAME.test(hostname)) {
      throw new BadParams('hostname is made of a-z, 0-9 and -, 63 at most');
    }
    return { hostname };
  },
  setAddress: addressParams,
};

function addressParams({ address, prefixLength, gateway, nameServers }: Raw): AgentParams<'setAddress'> {
  if (!isInteger(prefixLength, 1, 30)) throw new BadParams('prefixLength is a whole number from 1 to 30');
  if (!isAddress(address)) throw new BadParams('address is an IPv4 address');
  if (!isAddress(gateway)) throw new BadParams('gateway is an IPv4 address');
  // The old address is gone before the kernel could refuse such a route: the guest would be out of reach.
  const network = (text: string): number => Math.floor(ipv4Number(text) / 2 ** (32 - prefixLength));
  if (network(address) !== network(gateway) || address === gateway) {
    throw new BadParams('gateway is another address of the same network');
  }
  if (!Array.isArray(nameServers) || nameServers.length > MAX_NAME_SERVERS || !nameServers.every(isAddress)) {
    throw new BadParams(`nameServers are ${MAX_NAME_SERVERS} IPv4 addresses at most`);
  }
  return { address, prefixLength, gateway, nameServers };
}

function isAddress(value: unknown): value is string {
  return typeof value === 'string' && !Number.isNaN(ipv4Number(value));
}
