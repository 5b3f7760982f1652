import type { Duplex } from 'node:stream';
import { AGENT_VSOCK_PORT } from '../../contracts/agent.ts';
import type { KillSignal } from '../../contracts/vm.ts';
import { AppError, describe } from '../../core/app-error.ts';
import type { MachineExit, MachineIdentity, RunningMachine } from '../../core/vms/engine.ts';
import { killAndWait, waitUntilGone } from '../../host/process-end.ts';
import { signalProcess } from '../../host/process-identity.ts';
import type { Supervised } from '../../host/process.ts';
import { textTail } from '../../host/text-tail.ts';
import type { ApiClient } from './api-client.ts';
import { ApiError } from './api-message.ts';
import { setState } from './control.ts';
import { machineExit } from './exit-reason.ts';
import { CTRL_ALT_DEL } from './machine-config.ts';
import { removeMachine } from './machine-removal.ts';
import { StreamTurn } from './stream-turn.ts';
import { type FirecrackerVersion, pauseRefusal } from './version.ts';
import { openGuestPort } from './vsock.ts';

/** From SIGTERM to SIGKILL; Firecracker does not handle the first, so only the kernel can delay its end. */
const TERM_GRACE_MS = 5_000;
/** After SIGKILL: writing a disk out, say. */
const KILL_GRACE_MS = 30_000;
const COMMAND_TIMEOUT_MS = 10_000;
const LOG_LINES = 5;
/** The kernel's trace stands between the panic and the end. */
const CONSOLE_LINES = 60;

export interface FirecrackerMachineParts {
  readonly identity: MachineIdentity;
  readonly version: FirecrackerVersion;
  readonly bootRetries: number;
  readonly api: ApiClient;
  /** Set where the VMM is our own child. */
  readonly child: Supervised | undefined;
  /** Undefined where they are not known any more. */
  readonly consolePath: string | undefined;
  readonly vmmLogPath: string | undefined;
  /** Called once when the machine is gone or let go. */
  readonly onLeft: () => void;
}

/** A VMM that runs, ours or adopted. Whoever makes it tells it of its process's end by `noteEnd`. */
export class FirecrackerMachine implements RunningMachine {
  readonly identity: MachineIdentity;
  readonly bootRetries: number;
  readonly endsBy = 'reboot';
  readonly exited: Promise<MachineExit>;
  readonly #parts: FirecrackerMachineParts;
  readonly #exit = Promise.withResolvers<MachineExit>();
  readonly #streamTurn = new StreamTurn();
  #sent: NodeJS.Signals | undefined;
  #settling = false;

  constructor(parts: FirecrackerMachineParts) {
    this.#parts = parts;
    this.identity = parts.identity;
    this.bootRetries = parts.bootRetries;
    this.exited = this.#exit.promise;
    void parts.child?.exited.then(() => this.noteEnd());
  }

  async openAgentStream(signal: AbortSignal): Promise<Duplex | undefined> {
    const { agentSocketPath } = this.identity;
    if (agentSocketPath === undefined) return undefined;
    return this.#streamTurn.take(() => openGuestPort(agentSocketPath, AGENT_VSOCK_PORT, signal), signal);
  }

  async pause(signal: AbortSignal): Promise<void> {
    const refusal = pauseRefusal(this.#parts.version);
    if (refusal !== undefined) throw new AppError('ENGINE_FAILED', refusal);
    await this.#setState('Paused', signal);
  }

  resume(signal: AbortSignal): Promise<void> {
    return this.#setState('Running', signal);
  }

  /** Ctrl-Alt-Del: what x86 guests reboot by, and a reboot is what ends the machine. */
  async pressPowerButton(signal: AbortSignal): Promise<void> {
    try {
      await this.#parts.api.send(CTRL_ALT_DEL, { timeoutMs: COMMAND_TIMEOUT_MS, signal });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      // A machine that has just ended by itself has no button any more, and needs none.
      if (error.failure === 'unreachable' || error.failure === 'closed') return;
      throw new AppError('ENGINE_FAILED', `Ctrl-Alt-Del could not be pressed: ${error.message}`, { cause: error });
    }
  }

  async endBy(killSignal: KillSignal): Promise<MachineExit> {
    const signal = `SIG${killSignal}` as const;
    this.#sent = signal;
    await signalProcess(this.identity, signal);
    if (!(await waitUntilGone(this.identity, KILL_GRACE_MS))) {
      throw new AppError('ENGINE_FAILED', `Firecracker (pid ${this.identity.pid}) does not end by ${signal}.`, {
        hint: 'Without --signal it is killed: banger vm kill NAME.',
      });
    }
    await this.noteEnd();
    return this.exited;
  }

  /** @throws AppError ENGINE_FAILED where even SIGKILL does not end it. */
  async kill(): Promise<MachineExit> {
    this.#sent ??= 'SIGTERM';
    await signalProcess(this.identity, 'SIGTERM');
    if (!(await waitUntilGone(this.identity, TERM_GRACE_MS))) await this.killHard();
    await this.noteEnd();
    return this.exited;
  }

  /** @throws AppError ENGINE_FAILED where even that does not end it. */
  async killHard(): Promise<void> {
    this.#sent = 'SIGKILL';
    if (await killAndWait(this.identity, KILL_GRACE_MS)) return;
    throw new AppError('ENGINE_FAILED', `Firecracker (pid ${this.identity.pid}) does not end, not even by SIGKILL.`, {
      hint: 'A disk or network filesystem that hangs can hold it; see `dmesg`.',
    });
  }

  release(): void {
    this.#parts.onLeft();
    this.#parts.api.close();
  }

  /** The process is gone: takes away what it left, and says why it ended, once. */
  async noteEnd(): Promise<void> {
    if (this.#settling) return;
    this.#settling = true;
    const { child, consolePath, vmmLogPath } = this.#parts;
    this.release();
    const exit = machineExit({
      process: await child?.exited,
      sent: this.#sent,
      consoleTail: await tailOf(consolePath, CONSOLE_LINES),
      lastWords: await tailOf(vmmLogPath, LOG_LINES),
    });
    // What cannot be removed must not hide that the VMM is gone; the next start of the machine removes it, or fails.
    const left = await removeMachine(this.identity).then(
      () => '',
      (error: unknown) => `; not all that it left could be removed: ${describe(error)}`,
    );
    this.#exit.resolve({ reason: exit.reason, detail: `${exit.detail}${left}` });
  }

  async #setState(state: 'Paused' | 'Running', signal: AbortSignal): Promise<void> {
    try {
      await setState(this.#parts.api, state, { timeoutMs: COMMAND_TIMEOUT_MS, signal });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const what = state === 'Paused' ? 'paused' : 'resumed';
      throw new AppError('ENGINE_FAILED', `The machine could not be ${what}: ${error.message}`, { cause: error });
    }
  }
}

/** A file that cannot be read must not hide that the VMM is gone. */
async function tailOf(path: string | undefined, lines: number): Promise<string> {
  if (path === undefined) return '';
  return textTail(path, lines).catch((error: unknown) => `${path} cannot be read: ${describe(error)}`);
}
