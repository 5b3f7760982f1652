import { lookUntil } from './patience.ts';
import { hasNetwork } from './proc/route.ts';
import { listensOn } from './proc/sockets.ts';
import { SocketTable } from './socket-table.ts';
import type { Stages } from './stages.ts';
import type { Sys } from './sys.ts';

const SSH_PORT = 22;
const REREAD_AFTER_MS = 1_000;
/** An sshd listens on IPv4 too, unless it was told otherwise: the other table is looked at every so many times. */
const LOOKS_PER_IPV6 = 4;

/**
 * Watches for the network and then for sshd. Each look costs the guest's boot a little, in software emulation a
 * millisecond, so only what is missing next is read: an sshd that listens before there is a network is of use to nobody.
 */
export function watchReadiness(sys: Sys, stages: Stages): void {
  const ipv4 = new SocketTable(sys, 'tcp', REREAD_AFTER_MS);
  const ipv6 = new SocketTable(sys, 'tcp6', REREAD_AFTER_MS);
  const listens = (table: SocketTable): boolean => table.look() && listensOn(table.text, SSH_PORT);
  let looks = 0;
  lookUntil(sys, () => {
    if (!stages.has('network')) {
      if (!networkIsUp(sys)) return 'soon';
      stages.reach('network', sys.bootTimeMs());
    }
    looks += 1;
    if (!listens(ipv4) && (looks % LOOKS_PER_IPV6 !== 1 || !listens(ipv6))) return 'soon';
    stages.reach('ssh', sys.bootTimeMs());
    return 'done';
  });
}

function networkIsUp(sys: Sys): boolean {
  const routes = sys.readText('/proc/net/route') ?? '';
  // Bridges, tunnels and the like have no device below them.
  return hasNetwork(routes, (name) => sys.readLink(`/sys/class/net/${name}/device`) !== undefined);
}
