import type { DnsStatus } from '../contracts/dns.ts';
import { detailLines } from './table.ts';

/** How the names of guests stand, as lines for people. */
export function dnsLines(status: DnsStatus, width: number): readonly string[] {
  const { zone, server, wiring, answers, resolves } = status;
  return detailLines(
    [
      ['zone', zone],
      ['server', `${server.address} port ${server.port}, ${answers ? 'answers' : 'does not answer now'}`],
      ['told to', wiring === undefined ? 'nobody: `banger dns enable`' : wiring.resolver],
      ['file', wiring?.path],
      ['host resolves', resolves ? 'yes' : whyNot(status)],
    ],
    width,
  );
}

function whyNot({ wiring, answers }: DnsStatus): string {
  if (wiring === undefined) return 'no';
  if (!answers) return 'not now: banger answers while its daemon runs, from the first VM that runs';
  return `no: ${wiring.resolver} does not ask banger; try: ${wiring.reload.join(' ')}`;
}
