/** One try to start a VMM: from its files to the first sign of life of its guest, or back to nothing. */
import { open, rm, stat } from 'node:fs/promises';
import { AppError, abortCause, describe } from '../../core/app-error.ts';
import { CONSOLE_HEAD_BYTES, showsLife } from '../../core/vms/console-life.ts';
import type { MachineIdentity, MachineSpec } from '../../core/vms/engine.ts';
import { hasCode } from '../../host/error-code.ts';
import { awaitFileHead } from '../../host/file-head.ts';
import { ProcessError, type Supervised, supervise } from '../../host/process.ts';
import { identifyProcess } from '../../host/process-identity.ts';
import { textTail } from '../../host/text-tail.ts';
import { machineExit } from './exit-reason.ts';
import { QemuMachine, ShutdownListener } from './machine.ts';
import { connectQmp, type QmpConnection } from './qmp.ts';
import { QmpError } from './qmp-message.ts';

/** QEMU makes its socket some 50 ms after it starts; a busy host takes longer. */
const CONTROL_TIMEOUT_MS = 30_000;
/** From the end of the control connection to the news that the process has ended. */
const END_NEWS_GRACE_MS = 2_000;
const LOG_LINES = 5;

export const QEMU_INSTALL_HINT = 'Install it: sudo apt-get install -y qemu-system-x86';

export interface LaunchPlan {
  readonly argv: readonly [string, ...string[]];
  readonly accelerator: MachineIdentity['accelerator'];
  /** How many tries came before this one. */
  readonly bootRetries: number;
  /** For the guest to show life on its console, once it runs. */
  readonly bootTimeoutMs: number;
}

/**
 * @returns undefined where the guest showed no life in time; the VMM is gone then.
 * @throws AppError ENGINE_UNAVAILABLE, ENGINE_FAILED, BOOT_EXITED; what `onIdentity` throws; the signal's reason
 * where it is aborted. Nothing runs afterwards.
 */
export async function launch(
  spec: MachineSpec,
  plan: LaunchPlan,
  signal: AbortSignal,
): Promise<QemuMachine | undefined> {
  signal.throwIfAborted();
  await prepareFiles(spec);
  const logStart = await sizeOf(spec.vmmLogPath);
  const child = await startProcess(plan.argv, spec.vmmLogPath);
  const attempt = new Attempt(spec, child, logStart);
  try {
    return await attempt.run(plan, signal);
  } catch (error) {
    throw await attempt.failure(error, signal);
  }
}

class Attempt {
  readonly #spec: MachineSpec;
  readonly #child: Supervised;
  readonly #logStart: number;
  readonly #ended = new AbortController();
  readonly #shutdown = new ShutdownListener();
  #control: QmpConnection | undefined;
  #guestRuns = false;

  constructor(spec: MachineSpec, child: Supervised, logStart: number) {
    this.#spec = spec;
    this.#child = child;
    this.#logStart = logStart;
    void child.exited.then(() => this.#ended.abort());
  }

  async run(plan: LaunchPlan, signal: AbortSignal): Promise<QemuMachine | undefined> {
    const limit = AbortSignal.any([signal, this.#ended.signal]);
    const identity = await this.#identify(plan.accelerator, limit);
    // The guest is stopped until `cont`: a crash of ours up to here leaves evidence and an untouched disk.
    await this.#spec.onIdentity(identity);
    const { controlSocketPath, consolePath } = this.#spec;
    const control = await connectQmp(
      controlSocketPath,
      { timeoutMs: CONTROL_TIMEOUT_MS, onEvent: this.#shutdown.take },
      limit,
    );
    this.#control = control;
    await control.execute('cont', { timeoutMs: CONTROL_TIMEOUT_MS, signal: limit });
    this.#guestRuns = true;
    const watching = { headBytes: CONSOLE_HEAD_BYTES, timeoutMs: plan.bootTimeoutMs };
    if (!(await awaitFileHead(consolePath, showsLife, watching, limit))) {
      await this.#end();
      return undefined;
    }
    return new QemuMachine({
      identity,
      bootRetries: plan.bootRetries,
      control,
      shutdown: this.#shutdown,
      child: this.#child,
      lastWords: this.#lastWords,
    });
  }

  /** Ends what runs, and says what went wrong in the catalogue's words. */
  async failure(error: unknown, signal: AbortSignal): Promise<unknown> {
    // The connection's end and the process's end come as two pieces of news, in any order.
    if (error instanceof QmpError && error.failure === 'closed') await this.#endNews();
    const endedByItself = this.#ended.signal.aborted;
    await this.#end();
    if (signal.aborted) return abortCause(signal, signal.reason);
    if (endedByItself) return this.#ownEnd();
    if (!(error instanceof QmpError)) return error;
    const words = await this.#lastWords();
    return new AppError('ENGINE_FAILED', `QEMU started and could not be controlled: ${error.message}`, {
      details: { vmmLog: words, vmmLogPath: this.#spec.vmmLogPath },
      cause: error,
    });
  }

  async #identify(accelerator: LaunchPlan['accelerator'], limit: AbortSignal): Promise<MachineIdentity> {
    const found = await identifyProcess(this.#child.pid);
    if (!found) {
      await this.#child.exited;
      limit.throwIfAborted();
      throw new AppError('ENGINE_FAILED', 'QEMU ended at once.');
    }
    const { controlSocketPath, agentSocketPath } = this.#spec;
    return { engine: 'qemu', accelerator, ...found, controlSocketPath, agentSocketPath };
  }

  async #ownEnd(): Promise<AppError> {
    const exit = machineExit({
      shutdownReason: this.#shutdown.reason,
      process: await this.#child.exited,
      weKilledIt: false,
      protocolFault: undefined,
      lastWords: await this.#lastWords(),
    });
    const details = { reason: exit.reason, vmmLog: await this.#lastWords(), vmmLogPath: this.#spec.vmmLogPath };
    if (!this.#guestRuns) return new AppError('ENGINE_FAILED', `QEMU refused to start. ${exit.detail}`, { details });
    return new AppError('BOOT_EXITED', `The VMM ended as soon as the guest ran: ${exit.detail}.`, {
      details: { ...details, consolePath: this.#spec.consolePath },
    });
  }

  async #endNews(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, END_NEWS_GRACE_MS);
    await Promise.race([this.#child.exited, promise]);
    clearTimeout(timer);
  }

  /** SIGKILL at once: a guest that is given up has nothing to save. */
  async #end(): Promise<void> {
    this.#control?.close();
    if (!this.#ended.signal.aborted) {
      // Our own child keeps its pid until we have been told of its end, so this can hit nobody else.
      process.kill(this.#child.pid, 'SIGKILL');
      await this.#child.exited;
    }
    for (const path of socketsOf(this.#spec)) await rm(path, { force: true });
  }

  readonly #lastWords = (): Promise<string> => textTail(this.#spec.vmmLogPath, LOG_LINES, this.#logStart);
}

/** A console of this run alone, ours only from its birth, and no socket of an earlier one. */
async function prepareFiles(spec: MachineSpec): Promise<void> {
  for (const path of socketsOf(spec)) await rm(path, { force: true });
  const console = await open(spec.consolePath, 'w', 0o600);
  await console.chmod(0o600);
  await console.close();
}

function socketsOf(spec: MachineSpec): readonly string[] {
  return [spec.controlSocketPath, spec.agentSocketPath];
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return 0;
    throw error;
  }
}

async function startProcess(argv: readonly [string, ...string[]], logPath: string): Promise<Supervised> {
  try {
    // Its own folder would be a mount that cannot be unmounted while it runs.
    return await supervise(argv, { logPath, cwd: '/' });
  } catch (error) {
    if (!(error instanceof ProcessError)) throw error;
    if (error.failure === 'not-found') {
      throw new AppError('ENGINE_UNAVAILABLE', `${argv[0]} is not installed.`, {
        hint: QEMU_INSTALL_HINT,
        cause: error,
      });
    }
    throw new AppError('ENGINE_FAILED', `QEMU could not be started: ${describe(error)}`, { cause: error });
  }
}
