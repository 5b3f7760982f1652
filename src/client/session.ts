import type { Socket } from 'node:net';
import type { ErrorCode } from '../contracts/errors.ts';
import type { OperationEvent } from '../contracts/event.ts';
import { buildId } from '../host/build-id.ts';
import { hasCode } from '../host/error-code.ts';
import { type Paths, resolvePaths } from '../host/paths.ts';
import { ADDRESSES } from '../contracts/addresses.ts';
import {
  ApiClient,
  type CallInput,
  type CallReply,
  OtherBuildError,
  type SyncCall,
  type TunnelRoute,
} from './api-client.ts';
import { ClientError } from './client-error.ts';
import { checkRuntimeDir, type Connection, connectDaemon } from './daemon-launcher.ts';
import { daemonArgv } from './daemon-program.ts';

interface SessionOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly uid: number;
  readonly warn: (text: string) => void;
}

/** One command's talk with the daemon: connected on first use, connected again where the daemon was replaced. */
export class Session {
  readonly paths: Paths;
  readonly #options: SessionOptions;
  #connection: Promise<Connection> | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.paths = resolvePaths(options.env, options.uid);
  }

  /** BANGER_HOME, made absolute; undefined where it is not set. */
  get movedHome(): string | undefined {
    return this.#options.env['BANGER_HOME'] ? this.paths.homePath : undefined;
  }

  /** @throws ClientError as `connectDaemon` does. */
  connect(options: { readonly autoStart: boolean } = { autoStart: true }): Promise<Connection> {
    this.#connection ??= connectDaemon({
      paths: this.paths,
      uid: this.#options.uid,
      buildId: buildId(),
      program: daemonArgv(),
      warn: this.#options.warn,
      ...options,
    });
    return this.#connection;
  }

  /**
   * A call; sent once more where the daemon was just being replaced or has just died: whatever the call is where it has
   * certainly not been taken, else only one that may be made twice.
   */
  async call<Name extends SyncCall>(
    name: Name,
    input: CallInput<Name>,
    signal?: AbortSignal,
  ): Promise<CallReply<Name>> {
    const options = signal ? { signal } : {};
    // To read twice does no harm.
    if (ADDRESSES[name].method === 'GET') {
      const answer = await this.#atOnce((client) => client.call(name, input, options));
      if (answer) return answer.value;
    }
    try {
      return await (await this.#client()).call(name, input, options);
    } catch (error) {
      const mayRepeat = error instanceof ClientError && (wasNotTaken(error) || (wasLost(error) && isIdempotent(name)));
      if (!mayRepeat) throw error;
    }
    await this.#reconnect();
    return (await this.#client()).call(name, input, options);
  }

  /** A connection of its own, upgraded; asked for once more where the daemon was just being replaced. */
  async upgrade(
    route: TunnelRoute,
    params: Readonly<Record<string, string | number>>,
    signal?: AbortSignal,
  ): Promise<Socket> {
    // Nothing begins before the first bytes of the protocol.
    const opened = await this.#atOnce((client) => client.upgrade(route, params, signal));
    if (opened) return opened.value;
    try {
      return await (await this.#client()).upgrade(route, params, signal);
    } catch (error) {
      if (!(error instanceof ClientError) || !wasNotTaken(error)) throw error;
    }
    await this.#reconnect();
    return (await this.#client()).upgrade(route, params, signal);
  }

  async operationLog(id: string): Promise<string> {
    return (await this.#client()).operationLog(id);
  }

  /** An operation's events to its end, through restarts of the daemon. */
  async *operationEvents(id: string, signal?: AbortSignal): AsyncGenerator<OperationEvent, void> {
    const client = await this.#client();
    yield* client.operationEvents(id, { ...(signal ? { signal } : {}), reconnect: () => this.#reconnect() });
  }

  /**
   * Asks without asking first who is there, which takes 2 ms of a short command: the reply says it.
   *
   * @returns undefined where that was not the daemon of our own build, or nobody: then it is found the long way.
   */
  async #atOnce<Value>(ask: (client: ApiClient) => Promise<Value>): Promise<{ readonly value: Value } | undefined> {
    if (this.#connection) return undefined;
    const client = new ApiClient({ socketPath: this.paths.daemonSocket, sameBuild: true, onlyBuild: buildId() });
    try {
      const [value] = await Promise.all([ask(client), checkRuntimeDir(this.paths, this.#options.uid)]);
      return { value };
    } catch (error) {
      const isElsewhere = error instanceof ClientError && ELSEWHERE.includes(error.code);
      if (isElsewhere || error instanceof OtherBuildError) return undefined;
      throw error;
    }
  }

  async #client(): Promise<ApiClient> {
    return (await this.connect()).client;
  }

  async #reconnect(): Promise<void> {
    this.#connection = undefined;
    await this.connect();
  }
}

/** Refusals that the long way to the daemon deals with, or words better. */
const ELSEWHERE: readonly ErrorCode[] = ['DAEMON_UNREACHABLE', 'DAEMON_STOPPING', 'PATH_TOO_LONG'];

function wasNotTaken(error: ClientError): boolean {
  return error.code === 'DAEMON_STOPPING' || hasCode(error.cause, 'ENOENT', 'ECONNREFUSED');
}

/** The connection broke: a daemon that is killed still takes connections for a moment, and resets them. */
function wasLost(error: ClientError): boolean {
  return hasCode(error.cause, 'ECONNRESET', 'EPIPE');
}

/** RFC 9110, 9.2.2. What was deleted already is not found the second time. */
function isIdempotent(name: SyncCall): boolean {
  return ADDRESSES[name].method !== 'POST';
}
