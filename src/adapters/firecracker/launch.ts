/** One try to start a VMM: from its files to the first sign of life of its guest, or back to nothing. */
import { AppError, abortCause, describe } from '../../core/app-error.ts';
import { Undo } from '../../core/undo.ts';
import { CONSOLE_HEAD_BYTES, showsLife } from '../../core/vms/console-life.ts';
import type { MachineIdentity, MachineSpec } from '../../core/vms/engine.ts';
import { awaitFileHead } from '../../host/file-head.ts';
import { identifyProcess } from '../../host/process-identity.ts';
import { ProcessError, type Supervised, supervise } from '../../host/process.ts';
import { textTail } from '../../host/text-tail.ts';
import { ApiClient } from './api-client.ts';
import { ApiError } from './api-message.ts';
import { keepSmall } from './bounded-files.ts';
import { configFault } from './config-check.ts';
import { assertState, readVersionOnceListening } from './control.ts';
import { machineExit } from './exit-reason.ts';
import { buildJail, type OwnerRange, removeJail } from './jail.ts';
import { jailerArgv, type JailSettings } from './jailer.ts';
import { FirecrackerMachine } from './machine.ts';
import { INSTANCE_START, machineRequests } from './machine-config.ts';
import { makeFreshFiles, removeSockets } from './machine-files.ts';
import { type MachinePlaces, metricsPathOf, openPlaces } from './places.ts';
import { type FirecrackerVersion, versionRefusal } from './version.ts';

/** Firecracker listens some 10 ms after it starts; the jailer has mounts to make before, and a host may be busy. */
const LISTEN_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 10_000;
/** Firecracker reads the kernel while it answers. */
const START_TIMEOUT_MS = 30_000;
/** From the end of the connection to the news that the process has ended. */
const END_NEWS_GRACE_MS = 2_000;
const LOG_LINES = 5;

export interface LaunchPlan {
  readonly firecrackerPath: string;
  /** Undefined: the VMM runs as ourselves, behind its own filter of system calls alone. */
  readonly jail: { readonly settings: JailSettings; readonly owners: OwnerRange } | undefined;
  /** How many tries came before this one. */
  readonly bootRetries: number;
  /** For the guest to show life on its console, once it runs. */
  readonly bootTimeoutMs: number;
  readonly log: (line: string) => void;
}

/**
 * @returns undefined where the guest showed no life in time; the VMM is gone then.
 * @throws AppError ENGINE_UNAVAILABLE, ENGINE_FAILED, BOOT_EXITED; what `onIdentity` throws; the signal's reason
 * where it is aborted. Nothing runs afterwards, and nothing is left but the machine's console and logs.
 */
export async function launch(
  spec: MachineSpec,
  plan: LaunchPlan,
  signal: AbortSignal,
): Promise<FirecrackerMachine | undefined> {
  const undo = new Undo();
  try {
    signal.throwIfAborted();
    const setting = await prepare(spec, plan, undo);
    const child = await startProcess(setting.argv, spec.vmmLogPath);
    const attempt = new Attempt(spec, setting, child);
    undo.add(`VMM of ${spec.name}`, () => attempt.end());
    try {
      const machine = await attempt.run(plan, signal);
      if (machine) undo.clear();
      else throwFirst(await undo.run());
      return machine;
    } catch (error) {
      throw await attempt.failure(error, signal);
    }
  } catch (error) {
    throw await undo.after(error);
  }
}

interface Setting {
  readonly argv: readonly [string, ...string[]];
  readonly places: MachinePlaces;
  readonly jailDir: string | undefined;
}

async function prepare(spec: MachineSpec, plan: LaunchPlan, undo: Undo): Promise<Setting> {
  undo.add(`sockets of ${spec.name}`, () => removeSockets(spec));
  await makeFreshFiles(spec);
  if (!plan.jail) {
    const places = openPlaces(spec);
    const argv = [plan.firecrackerPath, '--id', spec.id, '--api-sock', places.apiSocket] as const;
    return { argv, places, jailDir: undefined };
  }
  const { settings, owners } = plan.jail;
  const jail = await buildJail(spec, settings, owners);
  undo.add(`jail of ${spec.name}`, () => removeJail(jail.jailDir));
  return { argv: jailerArgv(spec, settings, jail), places: jail.places, jailDir: jail.jailDir };
}

class Attempt {
  readonly #spec: MachineSpec;
  readonly #setting: Setting;
  readonly #child: Supervised;
  readonly #api: ApiClient;
  readonly #ended = new AbortController();
  #guestRuns = false;

  constructor(spec: MachineSpec, setting: Setting, child: Supervised) {
    this.#spec = spec;
    this.#setting = setting;
    this.#child = child;
    this.#api = new ApiClient(spec.controlSocketPath);
    void child.exited.then(() => this.#ended.abort());
  }

  async run(plan: LaunchPlan, signal: AbortSignal): Promise<FirecrackerMachine | undefined> {
    const limit = AbortSignal.any([signal, this.#ended.signal]);
    const identity = await this.#identify(limit);
    // No guest runs before it is told to: a crash of ours up to there leaves evidence and an untouched disk.
    await this.#spec.onIdentity(identity);
    const version = await readVersionOnceListening(this.#api, { timeoutMs: LISTEN_TIMEOUT_MS, signal: limit });
    const refusal = versionRefusal(version);
    if (refusal !== undefined) throw new AppError('ENGINE_UNAVAILABLE', refusal);
    await this.#configure(version, limit);
    await this.#api.send(INSTANCE_START, { timeoutMs: START_TIMEOUT_MS, signal: limit });
    this.#guestRuns = true;
    await assertState(this.#api, 'Running', { timeoutMs: REQUEST_TIMEOUT_MS, signal: limit });
    const { consolePath, vmmLogPath } = this.#spec;
    const watching = { headBytes: CONSOLE_HEAD_BYTES, timeoutMs: plan.bootTimeoutMs };
    if (!(await awaitFileHead(consolePath, showsLife, watching, limit))) return undefined;
    return new FirecrackerMachine({
      identity,
      version,
      bootRetries: plan.bootRetries,
      api: this.#api,
      child: this.#child,
      consolePath,
      vmmLogPath,
      onLeft: keepSmall([consolePath, vmmLogPath, metricsPathOf(this.#spec)], plan.log),
    });
  }

  async #configure(version: FirecrackerVersion, signal: AbortSignal): Promise<void> {
    const options = { timeoutMs: REQUEST_TIMEOUT_MS, signal };
    for (const request of machineRequests(this.#spec, this.#setting.places, version)) {
      await this.#api.send(request, options);
    }
    const fault = configFault(await this.#api.get('/vm/config', options), this.#spec, this.#setting.places);
    if (fault !== undefined) throw new ApiError('protocol', `The machine is not as it was asked for: ${fault}.`);
  }

  /** What went wrong, in the catalogue's words. */
  async failure(error: unknown, signal: AbortSignal): Promise<unknown> {
    // The connection's end and the process's end come as two pieces of news, in any order.
    if (error instanceof ApiError && error.failure !== 'refused') await this.#endNews(error);
    const endedByItself = this.#ended.signal.aborted;
    await this.end();
    if (signal.aborted) return abortCause(signal, signal.reason);
    if (endedByItself) return this.#ownEnd();
    if (!(error instanceof ApiError)) return error;
    const { vmmLogPath } = this.#spec;
    return new AppError('ENGINE_FAILED', `Firecracker started and could not be used: ${error.message}`, {
      details: { vmmLog: await this.#lastWords(), vmmLogPath },
      cause: error,
    });
  }

  /** SIGKILL at once: a guest that is given up has nothing to save. */
  async end(): Promise<void> {
    this.#api.close();
    if (this.#ended.signal.aborted) return;
    // Our own child keeps its pid until we have been told of its end, so this can hit nobody else.
    process.kill(this.#child.pid, 'SIGKILL');
    await this.#child.exited;
  }

  async #identify(limit: AbortSignal): Promise<MachineIdentity> {
    const found = await identifyProcess(this.#child.pid);
    if (!found) {
      await this.#child.exited;
      limit.throwIfAborted();
      throw new AppError('ENGINE_FAILED', 'Firecracker ended at once.');
    }
    const { controlSocketPath, agentSocketPath } = this.#spec;
    const { jailDir } = this.#setting;
    return { engine: 'firecracker', accelerator: 'kvm', ...found, controlSocketPath, agentSocketPath, jailDir };
  }

  async #ownEnd(): Promise<AppError> {
    const { consolePath, vmmLogPath } = this.#spec;
    const vmmLog = await this.#lastWords();
    const exit = machineExit({
      process: await this.#child.exited,
      sent: undefined,
      consoleTail: await textTail(consolePath, LOG_LINES),
      lastWords: vmmLog,
    });
    const details = { reason: exit.reason, vmmLog, vmmLogPath };
    if (!this.#guestRuns) {
      return new AppError('ENGINE_FAILED', `Firecracker refused to start. ${exit.detail}`, { details });
    }
    return new AppError('BOOT_EXITED', `The VMM ended as soon as the guest ran: ${exit.detail}.`, {
      details: { ...details, consolePath },
    });
  }

  async #endNews({ failure }: ApiError): Promise<void> {
    if (failure === 'timeout') return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, END_NEWS_GRACE_MS);
    await Promise.race([this.#child.exited, promise]);
    clearTimeout(timer);
  }

  #lastWords(): Promise<string> {
    return textTail(this.#spec.vmmLogPath, LOG_LINES);
  }
}

function throwFirst(failures: readonly AppError[]): void {
  if (failures[0]) throw failures[0];
}

async function startProcess(argv: readonly [string, ...string[]], logPath: string): Promise<Supervised> {
  try {
    // Its own folder would be a mount that cannot be unmounted while it runs.
    return await supervise(argv, { logPath, cwd: '/' });
  } catch (error) {
    if (!(error instanceof ProcessError)) throw error;
    const code = error.failure === 'not-found' ? 'ENGINE_UNAVAILABLE' : 'ENGINE_FAILED';
    throw new AppError(code, `Firecracker could not be started: ${describe(error)}`, { cause: error });
  }
}
