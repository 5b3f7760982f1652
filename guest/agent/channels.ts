/** Where hosts are heard: a virtio-serial port, vsock, and for tests a unix socket. */
import type { AgentEvent } from '../../src/contracts/agent-messages.ts';
import { AGENT_PORT_NAME, AGENT_VSOCK_PORT } from '../../src/contracts/agent.ts';
import { Connection, type ConnectionOptions } from './connection.ts';
import { lookUntil, type Outcome } from './patience.ts';
import { type Stream, SysError } from './sys.ts';

/** Drivers are loaded while the guest boots; a guest that has none by now will hardly get one. */
const GIVE_UP_AFTER_MS = 5 * 60_000;
/** select() takes files up to 1023, and a host needs one connection. */
const MAX_CONNECTIONS = 8;
const PORTS_DIR = '/sys/class/virtio-ports';

export class Channels {
  readonly #options: ConnectionOptions;
  readonly #connections = new Set<Connection>();
  #hasPort = false;
  #hasVsock = false;
  /** Said once, however often it happens. */
  #lastFailure = '';

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  /** To everybody who has said hello. */
  tell(event: AgentEvent): void {
    for (const connection of this.#connections) connection.tell(event);
  }

  /**
   * Waits for the guest's channels to appear.
   *
   * @param onFirst is called once the agent can be spoken to.
   * @param onNone is called where there is no channel after minutes.
   */
  open(onFirst: () => void, onNone: () => void): void {
    const { sys } = this.#options.guest;
    const look = (): Outcome => {
      const before = this.#any();
      this.#hasPort ||= this.#openPort();
      this.#hasVsock ||= this.#openVsock();
      if (!before && this.#any()) onFirst();
      if (this.#hasPort && this.#hasVsock) return 'done';
      return this.#any() ? 'later' : 'soon';
    };
    const run = (): void => {
      if (!this.#any()) onNone();
    };
    lookUntil(sys, look, { afterMs: GIVE_UP_AFTER_MS, run });
  }

  /** @throws SysError */
  openUnix(path: string): void {
    this.#options.guest.sys.listenUnix(path, (stream) => this.#serve(stream));
  }

  #any(): boolean {
    return this.#hasPort || this.#hasVsock;
  }

  #openPort(): boolean {
    const { sys } = this.#options.guest;
    const device = sys
      .listDir(PORTS_DIR)
      .find((name) => sys.readText(`${PORTS_DIR}/${name}/name`)?.trim() === AGENT_PORT_NAME);
    if (device === undefined) return false;
    try {
      const port = sys.openPort(`/dev/${device}`);
      if (!port) return false;
      const connection: Connection = new Connection(port, this.#options, () => {
        // One stream for all hosts: it stays open, and the next host begins with a hello.
        port.onChange(() => {
          port.onChange(undefined);
          connection.listen();
        });
      });
      this.#connections.add(connection);
      connection.listen();
      connection.hail();
      return true;
    } catch (error) {
      return this.#failed(`/dev/${device}`, error);
    }
  }

  #openVsock(): boolean {
    const { sys } = this.#options.guest;
    // Asked for without its device, the kernel would look for a module each time.
    if (sys.readText('/sys/class/misc/vsock/dev') === undefined) return false;
    try {
      sys.listenVsock(AGENT_VSOCK_PORT, (stream) => this.#serve(stream));
      return true;
    } catch (error) {
      return this.#failed('vsock', error);
    }
  }

  /** Some other program has it, or its driver is not ready: the next look may succeed. */
  #failed(what: string, error: unknown): false {
    if (!(error instanceof SysError)) throw error;
    const words = `${what}: ${error.message}`;
    if (words !== this.#lastFailure) this.#options.guest.sys.log(words);
    this.#lastFailure = words;
    return false;
  }

  #serve(stream: Stream): void {
    if (this.#connections.size >= MAX_CONNECTIONS) return stream.close();
    const connection: Connection = new Connection(stream, this.#options, () => {
      this.#connections.delete(connection);
      stream.close();
      const { sys } = this.#options.guest;
      // What belonged to the connection refers to itself; after this turn nobody else does.
      sys.after(0, () => sys.collectGarbage());
    });
    this.#connections.add(connection);
    connection.listen();
  }
}
