import { type DnsStatus, dnsStatusSchema, type DnsVerb } from '../contracts/dns.ts';
import { run } from '../host/process.ts';
import { ClientError, readErrorBody } from './client-error.ts';
import { daemonArgv } from './daemon-program.ts';

/** A resolver that is started anew takes seconds. */
const DNS_TIMEOUT_MS = 90_000;

/**
 * Has the daemon's program work on the host's resolver, without a daemon.
 *
 * @throws ClientError what that program says; INTERNAL where it says nothing.
 */
export async function runDns(verb: DnsVerb): Promise<DnsStatus> {
  const { stdout, stderr } = await run(daemonArgv('dns', verb), { okStatuses: [0, 1], timeoutMs: DNS_TIMEOUT_MS });
  const said = parse(stdout);
  const status = dnsStatusSchema.safeParse(said);
  if (status.success) return status.data;
  const body = typeof said === 'object' && said !== null && 'error' in said ? readErrorBody(said.error) : undefined;
  if (body) throw ClientError.fromBody(body);
  throw new ClientError('INTERNAL', `The host’s resolver could not be examined: ${stderr.trim() || stdout.trim()}`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
