/** Upgraded connections: after the 101 they carry bytes both ways. */
import type { IncomingMessage, Server } from 'node:http';
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { BUILD_HEADER, TUNNEL_PROTOCOLS, type TunnelProtocol } from '../contracts/addresses.ts';
import { joinStreams } from '../host/join-streams.ts';
import type { Router } from './router.ts';

/** True where the client asks for a tunnel; any other `Upgrade` is ignored, as RFC 9110 7.8 allows. */
export function wantsTunnel(request: IncomingMessage): boolean {
  return protocolOf(request) !== undefined;
}

function protocolOf(request: IncomingMessage): TunnelProtocol | undefined {
  const wanted = request.headers.upgrade?.toLowerCase();
  return TUNNEL_PROTOCOLS.find((protocol) => protocol === wanted);
}

/**
 * Answers upgrades by the router: its routes, its checks, its errors.
 *
 * @param closing ends every tunnel.
 */
export function serveTunnels(server: Server, router: Router, closing: AbortSignal): void {
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    void openTunnel(router, request, { socket, head, closing });
  });
}

interface Upgrade {
  readonly socket: Duplex;
  /** What the client sent before it had our answer. */
  readonly head: Buffer;
  readonly closing: AbortSignal;
}

async function openTunnel(router: Router, request: IncomingMessage, upgrade: Upgrade): Promise<void> {
  const { socket, head, closing } = upgrade;
  const gone = new AbortController();
  // Whatever breaks it, its `close` follows; that is where it is dealt with.
  socket.on('error', () => gone.abort());
  socket.once('close', () => gone.abort());
  let tunnel: Duplex | undefined;
  const protocol = protocolOf(request) ?? TUNNEL_PROTOCOLS[0];
  const response = await router.fetch(
    new Request(new URL(request.url ?? '/', 'http://banger'), { method: request.method ?? 'GET', signal: gone.signal }),
    {
      upgrade: {
        protocol,
        take: (opened) => {
          tunnel = opened;
        },
      },
    },
  );
  if (!tunnel) return refuse(socket, response);
  if (socket.destroyed || closing.aborted) {
    socket.destroy();
    tunnel.destroy();
    return;
  }
  const build = `${BUILD_HEADER}: ${response.headers.get(BUILD_HEADER)}`;
  const head101 = [`HTTP/1.1 101 ${STATUS_CODES[101]}`, 'Connection: Upgrade', `Upgrade: ${protocol}`, build];
  socket.write(`${head101.join('\r\n')}\r\n\r\n`);
  if (head.length > 0) socket.unshift(head);
  const end = (): void => void socket.destroy();
  closing.addEventListener('abort', end, { once: true });
  socket.once('close', () => closing.removeEventListener('abort', end));
  joinStreams(socket, tunnel);
}

/** The error, as any HTTP reply; the connection ends with it. */
async function refuse(socket: Duplex, response: Response): Promise<void> {
  const body = Buffer.from(await response.arrayBuffer());
  const headers = [...response.headers].map(([name, value]) => `${name}: ${value}\r\n`).join('');
  const status = `HTTP/1.1 ${response.status} ${STATUS_CODES[response.status] ?? 'Error'}\r\n`;
  socket.write(`${status}${headers}content-length: ${body.length}\r\nconnection: close\r\n\r\n`);
  // Not `end` alone: the client's own half would keep the connection.
  socket.end(body, () => socket.destroy());
}
