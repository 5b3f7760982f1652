/** /proc/net/tcp, tcp6, udp, udp6, sockstat and sockstat6 (proc(5), Documentation/networking/proc_net_tcp.rst). Pure. */
import { parseHexAddress } from './ip-address.ts';

export interface BoundSocket {
  readonly protocol: 'tcp' | 'udp';
  readonly address: string;
  readonly port: number;
  /** Its number among the kernel's sockets: what /proc/PID/fd names it by. */
  readonly inode: string;
}

/** `st` of a TCP socket that listens (TCP_LISTEN), and of a UDP socket that is connected to nothing (TCP_CLOSE). */
const WAITING = { tcp: '0A', udp: '07' } as const;

/** TCP sockets that listen, UDP sockets that are bound and connected to nothing. A line cut short counts as none. */
export function parseBoundSockets(text: string, protocol: 'tcp' | 'udp'): BoundSocket[] {
  const found: BoundSocket[] = [];
  for (const line of text.split('\n')) {
    // sl, local, remote, st, queues, timer, retransmits, uid, timeout, inode, and more that nobody needs here.
    const fields = line.trim().split(/\s+/, 11);
    const [, local = '', , state] = fields;
    const inode = fields[9];
    if (state !== WAITING[protocol] || inode === undefined || fields.length < 11) continue;
    const [hexAddress = '', hexPort = ''] = local.split(':');
    const address = parseHexAddress(hexAddress);
    const port = parseInt(hexPort, 16);
    if (address !== undefined && port > 0) found.push({ protocol, address, port, inode });
  }
  return found;
}

/** Does a TCP socket listen on the port, where others than this machine reach it? */
export function listensOn(text: string, port: number): boolean {
  const hexPort = `:${port.toString(16).toUpperCase().padStart(4, '0')} `;
  if (!text.includes(hexPort)) return false;
  return parseBoundSockets(text, 'tcp').some(
    (socket) => socket.port === port && !socket.address.startsWith('127.') && socket.address !== '::1',
  );
}

/** How many sockets of a kind there are, by /proc/net/sockstat or sockstat6; 0 where it does not say. */
export function parseInUse(text: string, kind: 'TCP' | 'TCP6' | 'UDP' | 'UDP6'): number {
  // Asked many times a second while a guest boots, so nothing is cut into pieces.
  const label = `${kind}: inuse `;
  const at = text.indexOf(label);
  return at === -1 ? 0 : parseInt(text.slice(at + label.length, at + label.length + 10), 10);
}
