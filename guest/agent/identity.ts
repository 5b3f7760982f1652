/** Who the guest is to others: its name and its address, changed while it runs. */
import type { AgentParams } from '../../src/contracts/agent-messages.ts';
import type { Sys } from './sys.ts';
import { SysError } from './sys.ts';

const IP_DEADLINE_MS = 10_000;
const CARD = 'eth0';

/** @throws SysError */
export function setHostname(sys: Sys, hostname: string): void {
  sys.setHostname(hostname);
  sys.replaceFile('/etc/hostname', `${hostname}\n`);
  const hosts = sys.readText('/etc/hosts');
  // Programs look up the machine's own name, sudo first of all.
  const renamed = hosts?.replace(/^127\.0\.1\.1[ \t].*$/m, `127.0.1.1 ${hostname}`);
  if (renamed !== undefined && renamed !== hosts) sys.replaceFile('/etc/hosts', renamed);
}

/** @throws SysError with the words of `ip`. */
export async function setAddress(sys: Sys, params: AgentParams<'setAddress'>): Promise<void> {
  const card = firstCard(sys);
  const { exitStatus, stderr } = await sys.run(['ip', '-batch', '-'], {
    input: addressCommands(card, params),
    deadlineMs: IP_DEADLINE_MS,
  });
  if (exitStatus !== 0) throw new SysError(`ip ended with status ${exitStatus}: ${stderr.trim()}`);
  const { nameServers } = params;
  if (nameServers.length === 0) return;
  sys.replaceFile('/etc/resolv.conf', nameServers.map((server) => `nameserver ${server}\n`).join(''));
}

function addressCommands(card: string, params: AgentParams<'setAddress'>): string {
  const { address, prefixLength, gateway } = params;
  return [
    `address flush dev ${card} scope global`,
    `link set dev ${card} up`,
    `address add ${address}/${prefixLength} broadcast + dev ${card}`,
    `route replace default via ${gateway} dev ${card}`,
    '',
  ].join('\n');
}

/** As banger names it; else the network card that the kernel found first. @throws SysError where there is none. */
function firstCard(sys: Sys): string {
  const dir = '/sys/class/net';
  const interfaces = sys.listDir(dir);
  if (interfaces.includes(CARD)) return CARD;
  const cards = interfaces
    .filter((name) => sys.readLink(`${dir}/${name}/device`) !== undefined)
    .map((name) => ({ name, index: Number(sys.readText(`${dir}/${name}/ifindex`)) }))
    .toSorted((one, other) => one.index - other.index);
  const [first] = cards;
  if (!first) throw new SysError('there is no network card');
  return first.name;
}
