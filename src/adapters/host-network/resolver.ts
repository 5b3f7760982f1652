/** The name servers of this host, as far as a guest can use them. */
import { readFile } from 'node:fs/promises';
import { parseIpv4 } from '../../contracts/ipv4.ts';
import { hasCode } from '../../host/error-code.ts';

/** Where pasta answers for the host's own resolver (`--dns-forward`), in banger's namespace. */
export const NAMESPACE_NAME_SERVER = '169.254.1.1';

/** What systemd-resolved itself asks, where the host's resolver is its stub on 127.0.0.53 (systemd-resolved(8)). */
const RESOLVED_UPSTREAM_FILE = '/run/systemd/resolve/resolv.conf';

/** IPv4 name servers of a resolv.conf(5), in their order; guests have no IPv6. */
export function parseNameServers(resolvConf: string): string[] {
  return resolvConf
    .split('\n')
    .map((line) => /^\s*nameserver\s+(\S+)/.exec(line)?.[1] ?? '')
    .filter((address) => parseIpv4(address) !== undefined);
}

/** Those a guest can reach: a loopback address would be its own. */
export function reachableNameServers(resolvConf: string, upstreamConf: string): string[] {
  const reachable = (text: string): string[] => parseNameServers(text).filter((address) => !/^(127|0)\./.test(address));
  const direct = reachable(resolvConf);
  return direct.length > 0 ? direct : reachable(upstreamConf);
}

/** @returns an empty list where the host has none that a guest could reach. */
export async function hostNameServers(): Promise<string[]> {
  return reachableNameServers(await readIfThere('/etc/resolv.conf'), await readIfThere(RESOLVED_UPSTREAM_FILE));
}

async function readIfThere(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return '';
    throw error;
  }
}
