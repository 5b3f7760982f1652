/** Finds out how this host resolves names: by its files alone, nothing is asked or started. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ResolverFacts } from '../../core/resolver/ports.ts';
import { hasCode } from '../../host/error-code.ts';

/** In the order in which they are read; a later one adds servers, an empty `DNS=` takes all back (resolved.conf(5)). */
const RESOLVED_FOLDERS = ['/usr/lib/systemd', '/run/systemd', '/etc/systemd'] as const;
const NETWORK_MANAGER_FOLDERS = ['/usr/lib/NetworkManager', '/run/NetworkManager', '/etc/NetworkManager'] as const;

/** Ours, of whichever instance: what stands in it is no reason against it. */
const OWN_FILE = 'banger.conf';

/** @param root the host's file system, `/` but in tests. */
export async function readResolverFacts(root: string): Promise<ResolverFacts> {
  const at = (path: string): string => join(root, path);
  const configs = async (folders: readonly string[], name: string): Promise<string[]> => {
    const main = await Promise.all(folders.map((folder) => textOf(at(`${folder}/${name}.conf`))));
    const dropIns = await Promise.all(folders.map((folder) => textsIn(at(folder), `${name}.conf.d`)));
    return [...main, ...dropIns.flat()];
  };
  const [resolvConf, nsswitch, resolvedRuns, resolved, managerRuns, manager, managerDropIns, dnsmasqRuns, hasSystemd] =
    await Promise.all([
      textOf(at('/etc/resolv.conf')),
      textOf(at('/etc/nsswitch.conf')),
      isThere(at('/run/systemd/resolve')),
      configs(RESOLVED_FOLDERS, 'resolved'),
      isThere(at('/run/NetworkManager')),
      configs(NETWORK_MANAGER_FOLDERS, 'NetworkManager'),
      Promise.all(NETWORK_MANAGER_FOLDERS.map((folder) => textsIn(at(folder), 'conf.d'))),
      isThere(at('/run/dnsmasq/dnsmasq.pid')),
      isThere(at('/run/systemd/system')),
    ]);
  const managerDns = lastValue([...manager, ...managerDropIns.flat()], 'dns');
  return {
    nameServers: nameServersOf(resolvConf),
    asksResolvedByNss: /^hosts:.*\bresolve\b/m.test(nsswitch),
    resolvedRuns,
    resolvedServers: resolvedServersOf(resolved),
    networkManagerRunsDnsmasq: managerRuns && managerDns === 'dnsmasq',
    dnsmasqRuns,
    hasSystemd,
  };
}

export function nameServersOf(resolvConf: string): string[] {
  return [...resolvConf.matchAll(/^[ \t]*nameserver[ \t]+(\S+)/gm)].map(([, address]) => address ?? '');
}

/** @param configs files in the order in which systemd-resolved reads them. */
export function resolvedServersOf(configs: readonly string[]): string[] {
  let servers: string[] = [];
  for (const [, value = ''] of configs.join('\n').matchAll(/^[ \t]*DNS[ \t]*=[ \t]*(.*)$/gm)) {
    servers = value.trim() === '' ? [] : [...servers, ...value.trim().split(/\s+/)];
  }
  return servers;
}

function lastValue(configs: readonly string[], key: string): string | undefined {
  return [...configs.join('\n').matchAll(new RegExp(`^[ \\t]*${key}[ \\t]*=[ \\t]*(\\S+)`, 'gm'))].at(-1)?.[1];
}

async function textsIn(folder: string, name: string): Promise<string[]> {
  const dir = join(folder, name);
  const names = (await listIfThere(dir)).filter((name) => name.endsWith('.conf') && name !== OWN_FILE);
  return Promise.all(names.toSorted().map((file) => textOf(join(dir, file))));
}

async function listIfThere(dir: string): Promise<readonly string[]> {
  try {
    return await readdir(dir);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return '';
    throw error;
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/** Not there, or not for us to read: as good as not there. */
function isMissing(error: unknown): boolean {
  return hasCode(error, 'ENOENT', 'ENOTDIR', 'EACCES');
}
