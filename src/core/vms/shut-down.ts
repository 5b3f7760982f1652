import type { Accelerator } from '../../contracts/vm.ts';
import { AppError } from '../app-error.ts';
import type { AgentLink } from './agent-link.ts';
import type { MachineTimeouts } from './machine-timeouts.ts';
import type { RunningMachine } from './engine.ts';
import type { GuestSession } from './ports.ts';

export interface ShutDownContext {
  readonly signal: AbortSignal;
  /** An open session, where there is one; it is closed. */
  readonly session?: GuestSession;
  readonly log: (line: string) => void;
}

export interface GuestToShutDown {
  readonly machine: RunningMachine;
  readonly agent: AgentLink;
  readonly timeouts: MachineTimeouts;
  /** A session as root, where the agent cannot be asked. */
  readonly connect: (options: { readonly timeoutMs: number; readonly signal: AbortSignal }) => Promise<GuestSession>;
}

interface Bounds {
  readonly connectMs: number;
  readonly powerOffMs: number;
}

/**
 * Sync first, then power off, then a bounded wait, then kill: what was written is on the disk. The agent is asked first,
 * then sshd; a guest that hears neither has its power button pressed.
 *
 * @returns how it ended.
 */
export async function shutDown(guest: GuestToShutDown, context: ShutDownContext): Promise<'clean' | 'killed'> {
  const { machine } = guest;
  const bounds = boundsOf(guest.timeouts, machine.identity.accelerator);
  const asked = (await askAgent(guest, bounds, context)) || (await askOverSsh(guest, bounds, context));
  if (!asked && !(await hasExited(machine, 0))) await machine.pressPowerButton(context.signal);
  if (await hasExited(machine, bounds.powerOffMs, context.signal)) return 'clean';
  context.log('The guest did not power off in time; its VMM is killed.');
  await machine.kill();
  return 'killed';
}

function boundsOf(timeouts: MachineTimeouts, accelerator: Accelerator): Bounds {
  return { connectMs: timeouts.stopConnectMs[accelerator], powerOffMs: timeouts.powerOffMs[accelerator] };
}

async function askAgent({ agent }: GuestToShutDown, bounds: Bounds, context: ShutDownContext): Promise<boolean> {
  if (!agent.welcome) return false;
  try {
    await agent.request('sync', {}, { timeoutMs: bounds.powerOffMs, signal: context.signal });
    await agent.request('powerOff', {}, { timeoutMs: bounds.connectMs, signal: context.signal });
  } catch (error) {
    if (!(error instanceof AppError) || (error.code !== 'AGENT_UNREACHABLE' && error.code !== 'AGENT_FAILED'))
      throw error;
    context.log(`Asking the agent ended with: ${error.message}`);
    return false;
  }
  await context.session?.[Symbol.asyncDispose]();
  return true;
}

async function askOverSsh(guest: GuestToShutDown, bounds: Bounds, context: ShutDownContext): Promise<boolean> {
  const { signal } = context;
  try {
    await using session = context.session ?? (await guest.connect({ timeoutMs: bounds.connectMs, signal }));
    await session.run({ program: '/bin/sync', timeoutMs: bounds.powerOffMs }, signal);
    await session.run({ program: `/sbin/${guest.machine.endsBy}`, timeoutMs: bounds.connectMs }, signal);
    return true;
  } catch (error) {
    // A guest that powers off takes the connection with it; one that does not answer gets the button.
    if (!(error instanceof AppError) || !isSilence(error)) throw error;
    context.log(`Asking over ssh ended with: ${error.message}`);
    return false;
  }
}

function isSilence(error: AppError): boolean {
  return error.code === 'GUEST_UNREACHABLE' || error.code === 'BUILD_STEP_TIMEOUT';
}

/** True once the VMM is gone; false where `timeoutMs` passes first. */
async function hasExited(machine: RunningMachine, timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), timeoutMs);
  const onAbort = (): void => reject(signal?.reason as Error);
  signal?.addEventListener('abort', onAbort, { once: true });
  void machine.exited.then(() => resolve(true));
  try {
    signal?.throwIfAborted();
    return await promise;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}
