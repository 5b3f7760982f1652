import type { Duplex } from 'node:stream';
import type { KillSignal } from '../../contracts/vm.ts';
import { AppError, describe } from '../../core/app-error.ts';
import type { MachineExit, MachineIdentity, RunningMachine } from '../../core/vms/engine.ts';
import type { Supervised } from '../../host/process.ts';
import { killAndWait, waitUntilGone } from '../../host/process-end.ts';
import { signalProcess } from '../../host/process-identity.ts';
import { openAgentStream } from './agent-stream.ts';
import { machineExit } from './exit-reason.ts';
import type { QmpConnection } from './qmp.ts';
import { QmpError, type QmpEvent } from './qmp-message.ts';

/** From SIGTERM to SIGKILL. What the guest has written is in the host's cache by then, whichever ends QEMU. */
const TERM_GRACE_MS = 5_000;
/** From the end of the control connection to the end of the process. */
const CLOSE_GRACE_MS = 10_000;
/** After SIGKILL only the kernel can delay the end: writing a disk out, say. */
const KILL_GRACE_MS = 30_000;
/** From the end of the process to the last event that it had sent. */
const LAST_EVENT_GRACE_MS = 1_000;
const COMMAND_TIMEOUT_MS = 10_000;

/** Takes QEMU's events from the first moment of a connection, before there is a machine to have them. */
export class ShutdownListener {
  reason: string | undefined;

  readonly take = (event: QmpEvent): void => {
    const reason = event.name === 'SHUTDOWN' ? event.data['reason'] : undefined;
    if (typeof reason === 'string') this.reason = reason;
  };
}

export interface QemuMachineParts {
  readonly identity: MachineIdentity;
  readonly bootRetries: number;
  readonly control: QmpConnection;
  readonly shutdown: ShutdownListener;
  /** Set where the VMM is our own child; an adopted one's end is seen by its control connection. */
  readonly child: Supervised | undefined;
  /** The last lines of the VMM's log. */
  readonly lastWords: () => Promise<string>;
}

/** A VMM that runs, ours or adopted. Its end is noticed by its control connection closing; nothing polls. */
export class QemuMachine implements RunningMachine {
  readonly identity: MachineIdentity;
  readonly bootRetries: number;
  readonly endsBy = 'poweroff';
  /** After `release` it settles only for a VMM that is our own child. */
  readonly exited: Promise<MachineExit>;
  readonly #parts: QemuMachineParts;
  readonly #exit = Promise.withResolvers<MachineExit>();
  #released = false;
  #weKilledIt = false;
  #protocolFault: string | undefined;
  #settling = false;

  constructor(parts: QemuMachineParts) {
    this.#parts = parts;
    this.identity = parts.identity;
    this.bootRetries = parts.bootRetries;
    this.exited = this.#exit.promise;
    void parts.control.closed.then((reason) => this.#onControlClosed(reason));
    void parts.child?.exited.then(() => this.#settle());
  }

  async openAgentStream(signal: AbortSignal): Promise<Duplex | undefined> {
    const { agentSocketPath } = this.identity;
    return agentSocketPath === undefined ? undefined : openAgentStream(agentSocketPath, signal);
  }

  pause(signal: AbortSignal): Promise<void> {
    return this.#command('stop', signal);
  }

  resume(signal: AbortSignal): Promise<void> {
    return this.#command('cont', signal);
  }

  async pressPowerButton(signal: AbortSignal): Promise<void> {
    try {
      await this.#parts.control.execute('system_powerdown', { timeoutMs: COMMAND_TIMEOUT_MS, signal });
    } catch (error) {
      if (!(error instanceof QmpError)) throw error;
      // A machine that has just powered off by itself has no button any more, and needs none.
      if (error.failure === 'closed' && !this.#released) return;
      throw new AppError('ENGINE_FAILED', `The power button could not be pressed: ${error.message}`, { cause: error });
    }
  }

  async endBy(signal: KillSignal): Promise<MachineExit> {
    await signalProcess(this.identity, `SIG${signal}`);
    if (!(await waitUntilGone(this.identity, KILL_GRACE_MS))) {
      throw new AppError('ENGINE_FAILED', `QEMU (pid ${this.identity.pid}) does not end by SIG${signal}.`, {
        hint: 'Without --signal it is killed: banger vm kill NAME.',
      });
    }
    await this.#settle();
    return this.exited;
  }

  /** @throws AppError ENGINE_FAILED where even SIGKILL does not end it. */
  async kill(): Promise<MachineExit> {
    await signalProcess(this.identity, 'SIGTERM');
    if (!(await waitUntilGone(this.identity, TERM_GRACE_MS))) await this.#killHard();
    await this.#settle();
    return this.exited;
  }

  release(): void {
    this.#released = true;
    this.#parts.control.close();
  }

  async #command(command: 'stop' | 'cont', signal: AbortSignal): Promise<void> {
    try {
      await this.#parts.control.execute(command, { timeoutMs: COMMAND_TIMEOUT_MS, signal });
    } catch (error) {
      if (!(error instanceof QmpError)) throw error;
      throw new AppError('ENGINE_FAILED', `QEMU did not do "${command}": ${error.message}`, { cause: error });
    }
  }

  async #onControlClosed(reason: QmpError): Promise<void> {
    if (this.#released) return;
    // One that breaks the protocol can no longer be told to stop: it is ended now, not lost track of.
    if (reason.failure === 'protocol') this.#protocolFault = reason.message;
    const graceMs = reason.failure === 'protocol' ? 0 : CLOSE_GRACE_MS;
    try {
      if (!(await waitUntilGone(this.identity, graceMs))) await this.#killHard();
      await this.#settle();
    } catch (error) {
      this.#exit.resolve({ reason: 'crashed', detail: `QEMU could not be ended: ${describe(error)}` });
    }
  }

  async #killHard(): Promise<void> {
    this.#weKilledIt = true;
    if (await killAndWait(this.identity, KILL_GRACE_MS)) return;
    throw new AppError('ENGINE_FAILED', `QEMU (pid ${this.identity.pid}) does not end, not even by SIGKILL.`, {
      hint: 'A disk or network filesystem that hangs can hold it; see `dmesg`.',
    });
  }

  /** The process is gone: says why, once. */
  async #settle(): Promise<void> {
    if (this.#settling) return;
    this.#settling = true;
    const { child, control, shutdown, lastWords } = this.#parts;
    await withinMs(control.closed, LAST_EVENT_GRACE_MS);
    this.#exit.resolve(
      machineExit({
        shutdownReason: shutdown.reason,
        process: await child?.exited,
        weKilledIt: this.#weKilledIt,
        protocolFault: this.#protocolFault,
        // A log that cannot be read must not hide that the VMM is gone.
        lastWords: await lastWords().catch((error: unknown) => `its log cannot be read: ${describe(error)}`),
      }),
    );
  }
}

async function withinMs(work: Promise<unknown>, timeoutMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, timeoutMs);
  await Promise.race([work, promise]);
  clearTimeout(timer);
}
