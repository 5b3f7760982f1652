/** `banger dns`: changes and examines the host's resolver, with no daemon: it does so in the host's own network. */
import { DNS_VERBS, type DnsStatus } from '../contracts/dns.ts';
import { AppError } from '../core/app-error.ts';
import type { Paths } from '../host/paths.ts';
import { composeDnsWiring } from './compose-host.ts';
import { loadConfig } from './config.ts';

/**
 * Does what `bangerd dns VERB` asks for.
 *
 * @returns how it stands then.
 * @throws AppError REQUEST_INVALID where there is no such verb; as DnsWiring.
 */
export async function runDns(paths: Paths, verbText: string): Promise<DnsStatus> {
  const verb = DNS_VERBS.find((known) => known === verbText);
  if (verb === undefined) throw new AppError('REQUEST_INVALID', `No such verb: ${JSON.stringify(verbText)}`);
  const wiring = composeDnsWiring(paths, await loadConfig(paths.configFile), process.getuid?.() ?? 0);
  return wiring[verb]();
}
