import type { AgentPorts, ListeningPort } from '../../src/contracts/agent-messages.ts';
import { MAX_LISTED_PORTS } from '../../src/contracts/agent.ts';
import type { BoundSocket } from './proc/sockets.ts';
import { findSocketOwners, type SocketOwner } from './proc/socket-owners.ts';
import { SocketTable, type TableName } from './socket-table.ts';
import type { Sys } from './sys.ts';

const TABLE_NAMES: readonly TableName[] = ['tcp', 'tcp6', 'udp', 'udp6'];
const REREAD_AFTER_MS = 4_000;

/** Lists what listens, and remembers it, so that the next list costs little where little has changed. */
export class PortsList {
  readonly #sys: Sys;
  readonly #tables: readonly SocketTable[];
  #ports: AgentPorts = { listening: [], truncated: false };
  /** By inode; undefined where nobody was found, so that nobody is searched for again. */
  #owners = new Map<string, SocketOwner | undefined>();

  constructor(sys: Sys) {
    this.#sys = sys;
    this.#tables = TABLE_NAMES.map((name) => new SocketTable(sys, name, REREAD_AFTER_MS));
  }

  /** Everything looked up anew. */
  fresh(): AgentPorts {
    for (const table of this.#tables) table.forget();
    this.#owners.clear();
    this.#ports = { listening: [], truncated: false };
    return this.current();
  }

  /** Looks up what has changed, which is mostly nothing. */
  current(): AgentPorts {
    const changed = this.#tables.filter((table) => table.look());
    if (changed.length === 0) return this.#ports;
    const sockets = this.#tables.flatMap((table) => table.sockets()).toSorted(inOrder);
    const listed = sockets.slice(0, MAX_LISTED_PORTS);
    this.#lookUp(listed);
    this.#ports = {
      listening: listed.map((socket) => this.#describe(socket)),
      truncated: sockets.length > listed.length || this.#tables.some((table) => table.isCut),
    };
    return this.#ports;
  }

  #lookUp(sockets: readonly BoundSocket[]): void {
    const known = this.#owners;
    const unknown = new Set(sockets.map(({ inode }) => inode).filter((inode) => !known.has(inode)));
    const found = unknown.size > 0 ? findSocketOwners(this.#sys, unknown) : new Map<string, SocketOwner>();
    this.#owners = new Map(sockets.map(({ inode }) => [inode, known.get(inode) ?? found.get(inode)]));
  }

  #describe({ protocol, address, port, inode }: BoundSocket): ListeningPort {
    return { protocol, address, port, ...this.#owners.get(inode) };
  }
}

function inOrder(one: BoundSocket, other: BoundSocket): number {
  if (one.protocol !== other.protocol) return one.protocol < other.protocol ? -1 : 1;
  if (one.port !== other.port) return one.port - other.port;
  return one.address < other.address ? -1 : Number(one.address > other.address);
}
