import { AppError } from '../app-error.ts';
import { orAborted } from '../operations/or-aborted.ts';
import type { GuestProgram, GuestProgramSpec } from './guest-program.ts';
import type { GuestSession } from './ports.ts';

/** sshd takes ten programs on one connection (MaxSessions in sshd_config(5)); signals need one at times. */
const MAX_PROGRAMS = 8;
/** Of one VM. */
const MAX_CONNECTIONS = 8;
/** For programs to be told that we stop. */
const CLOSE_WAIT_MS = 2_000;

export interface GuestConnectionsOptions {
  /** How long a connection is kept that nobody uses. */
  readonly idleMs: number;
}

/** A guest that runs; one object for as long as it runs. */
export interface ConnectedGuest {
  readonly vmId: string;
  readonly connect: (signal: AbortSignal) => Promise<GuestSession>;
  /** Aborted when the VMM is gone. */
  readonly ended: AbortSignal;
}

interface Connection {
  readonly session: Promise<GuestSession>;
  readonly programs: Set<GuestProgram>;
  /** Places taken: programs, and those being opened. */
  taken: number;
  /** True once a program was opened on it: one that was quiet since may be dead without anybody knowing. */
  isProven: boolean;
  idle: NodeJS.Timeout | undefined;
}

/** Connections to guests that are used: made at first use, kept for the next one, dropped when idle. */
export class GuestConnections {
  readonly #idleMs: number;
  readonly #connections = new Map<string, Set<Connection>>();

  constructor({ idleMs }: GuestConnectionsOptions) {
    this.#idleMs = idleMs;
  }

  /**
   * Opens a program on a connection that is there, else on a new one.
   *
   * @throws AppError VM_BUSY where too many run; as GuestSession.open.
   */
  async open(guest: ConnectedGuest, spec: GuestProgramSpec, signal: AbortSignal): Promise<GuestProgram> {
    const connection = this.#take(guest);
    const wasProven = connection.isProven;
    try {
      return await this.#openOn(connection, spec, signal);
    } catch (error) {
      this.#drop(guest.vmId, connection, error);
      const mayBeStale = wasProven && error instanceof AppError && error.code === 'GUEST_UNREACHABLE';
      if (!mayBeStale || signal.aborted || guest.ended.aborted) throw error;
    }
    return this.#openOn(this.#connect(guest), spec, signal);
  }

  /** Ends every program and connection, in bounded time. */
  async close(): Promise<void> {
    const all = [...this.#connections.values()].flatMap((connections) => [...connections]);
    this.#connections.clear();
    const ending = Promise.all(all.flatMap(({ programs }) => [...programs].map((program) => program.end())));
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, CLOSE_WAIT_MS);
    await Promise.race([ending, promise]);
    clearTimeout(timer);
    for (const { session, idle } of all) {
      clearTimeout(idle);
      abandon(session);
    }
  }

  /** A place on a connection. Taken at once, so that two who come together do not take the same one. */
  #take(guest: ConnectedGuest): Connection {
    const known = [...(this.#connections.get(guest.vmId) ?? [])];
    const free = known.find(({ taken }) => taken < MAX_PROGRAMS);
    if (!free) return this.#connect(guest);
    clearTimeout(free.idle);
    free.taken += 1;
    return free;
  }

  #connect(guest: ConnectedGuest): Connection {
    const connections = this.#connections.get(guest.vmId) ?? new Set();
    if (connections.size >= MAX_CONNECTIONS) {
      const limit = MAX_CONNECTIONS * MAX_PROGRAMS;
      throw new AppError('VM_BUSY', `The VM runs ${limit} commands for others already.`, {
        hint: 'Wait until some of them have ended.',
        details: { limit },
      });
    }
    // Whoever waits for it may go: others may wait for it too.
    const session = guest.connect(guest.ended);
    const connection: Connection = { session, programs: new Set(), taken: 1, isProven: false, idle: undefined };
    this.#connections.set(guest.vmId, connections.add(connection));
    // A guest that is gone closes no connection.
    const onEnded = (): void => abandon(session);
    guest.ended.addEventListener('abort', onEnded, { once: true });
    const forget = (): void => {
      guest.ended.removeEventListener('abort', onEnded);
      this.#forget(guest.vmId, connection);
    };
    session.then((opened) => opened.closed.then(forget), forget);
    return connection;
  }

  async #openOn(connection: Connection, spec: GuestProgramSpec, signal: AbortSignal): Promise<GuestProgram> {
    try {
      const session = await orAborted(connection.session, signal);
      const program = await session.open(spec, signal);
      connection.isProven = true;
      connection.programs.add(program);
      const release = (): void => {
        connection.programs.delete(program);
        this.#release(connection);
      };
      program.ended.then(release, release);
      return program;
    } catch (error) {
      this.#release(connection);
      throw error;
    }
  }

  #release(connection: Connection): void {
    connection.taken -= 1;
    if (connection.taken > 0) return;
    clearTimeout(connection.idle);
    connection.idle = setTimeout(() => {
      for (const [vmId, connections] of this.#connections) {
        if (connections.has(connection)) this.#forget(vmId, connection);
      }
      connection.session.then(
        (session) => session[Symbol.asyncDispose](),
        () => undefined,
      );
    }, this.#idleMs).unref();
  }

  /** A connection on which nothing could be opened serves nobody any more, unless it was asked for the impossible. */
  #drop(vmId: string, connection: Connection, error: unknown): void {
    if (!(error instanceof AppError) || error.code !== 'GUEST_UNREACHABLE') return;
    this.#forget(vmId, connection);
    if (connection.programs.size === 0) abandon(connection.session);
  }

  #forget(vmId: string, connection: Connection): void {
    const connections = this.#connections.get(vmId);
    if (!connections?.delete(connection)) return;
    clearTimeout(connection.idle);
    if (connections.size === 0) this.#connections.delete(vmId);
  }
}

function abandon(session: Promise<GuestSession>): void {
  session.then(
    (opened) => opened.abandon(),
    () => undefined,
  );
}
