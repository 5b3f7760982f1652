import { AppError, describe } from '../../core/app-error.ts';
import type { MachineIdentity } from '../../core/vms/engine.ts';
import { commandLine } from '../../host/command-line.ts';
import { killAndWait } from '../../host/process-end.ts';
import { isAlive } from '../../host/process-identity.ts';
import { controlOption } from './argv.ts';
import { QemuMachine, ShutdownListener } from './machine.ts';
import { connectQmp, type QmpConnection } from './qmp.ts';
import { asRecord, QmpError } from './qmp-message.ts';

/** An earlier daemon may still hold the one connection that QEMU serves, until it has ended. */
const CONTROL_TIMEOUT_MS = 15_000;
const QUERY_TIMEOUT_MS = 10_000;
const KILL_GRACE_MS = 10_000;

/**
 * Finds a VMM again by its evidence: the very process, its command line, and who answers on its control socket.
 *
 * @returns undefined where it is gone, is another program, or had never let its guest run (it is ended then).
 * @throws AppError ENGINE_FAILED where it runs and cannot be controlled.
 */
export async function adopt(identity: MachineIdentity): Promise<QemuMachine | undefined> {
  if (!(await isAlive(identity))) return undefined;
  const name = nameInCommandLine(await commandLine(identity.pid), identity.controlSocketPath);
  if (name === undefined) return undefined;
  const shutdown = new ShutdownListener();
  let control: QmpConnection | undefined;
  try {
    control = await connectQmp(
      identity.controlSocketPath,
      { timeoutMs: CONTROL_TIMEOUT_MS, onEvent: shutdown.take },
      new AbortController().signal,
    );
    const answer = asRecord(await control.execute('query-name', { timeoutMs: QUERY_TIMEOUT_MS }));
    if (answer['name'] !== name) {
      throw new QmpError('protocol', `Another VMM (${String(answer['name'])}) answers on the socket of ${name}.`);
    }
    const status = asRecord(await control.execute('query-status', { timeoutMs: QUERY_TIMEOUT_MS }))['status'];
    // Between its start and `cont` the daemon ended: nothing has run in it, and nobody waits for it.
    if (status === 'prelaunch') {
      control.close();
      await killAndWait(identity, KILL_GRACE_MS);
      return undefined;
    }
  } catch (error) {
    control?.close();
    if (!(error instanceof QmpError)) throw error;
    if (!(await isAlive(identity))) return undefined;
    throw new AppError(
      'ENGINE_FAILED',
      `${name} runs (pid ${identity.pid}) and cannot be controlled: ${describe(error)}`,
      {
        hint: `End it with \`kill ${identity.pid}\`, then run \`banger daemon stop\`: the next command finds the VM stopped.`,
        details: { pid: identity.pid, controlSocketPath: identity.controlSocketPath },
        cause: error,
      },
    );
  }
  return new QemuMachine({
    identity,
    bootRetries: 0,
    control,
    shutdown,
    child: undefined,
    lastWords: () => Promise.resolve(''),
  });
}

/** @returns the machine's name; undefined where the command line is not one of ours with this control socket. */
export function nameInCommandLine(argv: readonly string[], controlSocketPath: string): string | undefined {
  const at = argv.indexOf('-name');
  return at !== -1 && argv.includes(controlOption(controlSocketPath)) ? argv[at + 1] : undefined;
}
