/** Listens where guests do, and hands each connection on to the guest. */
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import type { ForwarderReport, ForwardFault } from '../contracts/forwarder-report.ts';
import type { Forward } from '../contracts/forwarding.ts';
import { errorCode } from '../host/error-code.ts';
import { joinStreams } from '../host/join-streams.ts';

/** Opens a connection to a VM's port. @throws Error where it cannot be had. */
export type OpenTunnel = (vmName: string, port: number) => Promise<Socket>;

export interface ForwardLimits {
  readonly ports: number;
  readonly connections: number;
  /** One VM's clients do not use up what all have. */
  readonly connectionsOfVm: number;
}

/** A connection takes two descriptors here and two in the daemon. */
export const FORWARD_LIMITS: ForwardLimits = { ports: 4096, connections: 1024, connectionsOfVm: 256 };

/** Linux's errors of bind(2) and listen(2). */
const FAULTS: Readonly<Record<string, ForwardFault>> = {
  EADDRINUSE: 'address-in-use',
  EACCES: 'not-permitted',
  EMFILE: 'too-many',
  ENFILE: 'too-many',
};

interface Place {
  readonly vmName: string;
  readonly address: string;
  readonly port: number;
}

export class PortForwards {
  readonly #openTunnel: OpenTunnel;
  readonly #limits: ForwardLimits;
  /** By VM, address and port: one address may become another VM's. */
  readonly #open = new Map<string, Server>();
  readonly #connections = new Map<string, number>();
  #connectionCount = 0;

  constructor(openTunnel: OpenTunnel, limits = FORWARD_LIMITS) {
    this.#openTunnel = openTunnel;
    this.#limits = limits;
  }

  /**
   * Listens at these places and at no others; what failed before is tried again. Connections that are open go on: a
   * guest's do too when it listens no more, and when a VM is gone the daemon ends them.
   *
   * @returns the places where that was not possible.
   */
  async apply(forwards: readonly Forward[]): Promise<ForwarderReport['faults']> {
    const wanted = new Map<string, Place>();
    for (const { vmName, address, ports } of forwards) {
      for (const port of ports) wanted.set(`${vmName} ${address}:${port}`, { vmName, address, port });
    }
    for (const [key, server] of this.#open) {
      if (wanted.has(key)) continue;
      server.close();
      this.#open.delete(key);
    }
    const faults: ForwarderReport['faults'] = [];
    await Promise.all(
      [...wanted].map(async ([key, place]) => {
        if (this.#open.has(key)) return;
        const fault = this.#open.size < this.#limits.ports ? await this.#listen(key, place) : 'too-many';
        if (fault) faults.push({ address: place.address, port: place.port, fault });
      }),
    );
    return faults;
  }

  async #listen(key: string, place: Place): Promise<ForwardFault | undefined> {
    // Paused: what a client says first waits until the guest is there to hear it.
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (socket) => {
      void this.#forward(socket, place);
    });
    this.#open.set(key, server);
    try {
      server.listen(place.port, place.address);
      await once(server, 'listening');
      // Out of descriptors: the client that came is let go, and the next one may have better luck.
      server.on('error', () => undefined);
      return undefined;
    } catch (error) {
      this.#open.delete(key);
      const code = errorCode(error);
      if (code === undefined) throw error;
      return FAULTS[code] ?? 'failed';
    }
  }

  async #forward(client: Socket, { vmName, port }: Place): Promise<void> {
    client.on('error', () => client.destroy());
    const ofVm = this.#connections.get(vmName) ?? 0;
    if (this.#connectionCount >= this.#limits.connections || ofVm >= this.#limits.connectionsOfVm) {
      client.resetAndDestroy();
      return;
    }
    this.#connectionCount += 1;
    this.#connections.set(vmName, ofVm + 1);
    client.once('close', () => this.#forget(vmName));
    try {
      const tunnel = await this.#openTunnel(vmName, port);
      joinStreams(client, tunnel);
      if (client.destroyed) tunnel.destroy();
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      // As a port on which nobody listens: the guest has just closed it, or is gone.
      client.resetAndDestroy();
    }
  }

  #forget(vmName: string): void {
    this.#connectionCount -= 1;
    const left = (this.#connections.get(vmName) ?? 1) - 1;
    if (left > 0) this.#connections.set(vmName, left);
    else this.#connections.delete(vmName);
  }
}
