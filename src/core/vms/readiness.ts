/** Waiting for a guest, stage by stage, each raced against the VMM's end. */
import type { AgentStage } from '../../contracts/agent.ts';
import { AppError, describe } from '../app-error.ts';
import type { OperationContext, StageContext } from '../operations/operation-context.ts';
import { pause } from '../pause.ts';
import type { AgentLink } from './agent-link.ts';
import type { RunningMachine } from './engine.ts';

/** The stages of a guest's way from its first instruction to its first login, in order. */
export const GUEST_STAGES: readonly AgentStage[] = ['agent', 'network', 'ssh'];

/** What is waited for, as a thing that happens: "before its agent spoke". */
const EVENTS: Readonly<Record<AgentStage, string>> = {
  agent: 'its agent spoke',
  network: 'its network was up',
  ssh: 'its sshd listened',
};

const HINTS: Readonly<Record<AgentStage, string>> = {
  agent: 'Is banger-agent installed and enabled in the image? The console’s last lines show how far the boot came.',
  network: 'Does banger-network.service run in the guest? The console’s last lines show how far the boot came.',
  ssh: 'Is sshd installed and enabled in the image? The console’s last lines show how far the boot came.',
};

export interface BootingGuest {
  readonly machine: Pick<RunningMachine, 'exited'>;
  readonly agent: Pick<AgentLink, 'reached'>;
  /** Whether the disk had an agent when it was made. */
  readonly hasAgent: boolean;
  /** Resolves when sshd greets; what is gone by where there is no agent. */
  readonly awaitGreeting: (signal: AbortSignal) => Promise<void>;
  /** From now on to the last stage. */
  readonly timeoutMs: number;
  /** How long an agent that should be there may say nothing before sshd is asked instead. */
  readonly patienceMs: number;
  /** The console's last lines, for the error. */
  readonly consoleTail: () => Promise<readonly string[]>;
}

/**
 * Waits until a guest can be used. Its agent tells; a guest without one, or whose agent says nothing, is asked over ssh.
 *
 * @throws AppError BOOT_EXITED where the VMM ends first, BOOT_TIMEOUT past the deadline, each with the name of the stage
 * that hung and the console's last lines; the signal's reason where it is aborted.
 */
export async function awaitGuest(
  guest: BootingGuest,
  context: Pick<OperationContext, 'stage' | 'skip' | 'signal'>,
): Promise<void> {
  const done = new AbortController();
  const limit = AbortSignal.any([context.signal, done.signal, AbortSignal.timeout(guest.timeoutMs)]);
  const greeting = greetingAfter(guest.hasAgent ? guest.patienceMs : 0, guest, limit);
  // Whoever waits for a stage hears of it; nobody else must.
  greeting.catch(() => undefined);
  try {
    let greeted = false;
    for (const name of GUEST_STAGES) {
      if (name !== 'ssh' && (greeted || !guest.hasAgent)) {
        context.skip(name, guest.hasAgent ? 'the agent says nothing; sshd answers' : 'there is no agent in the image');
        continue;
      }
      await context.stage(name, async (stage) => {
        if (greeted) return stage.note('by its greeting');
        greeted = await awaitStage(name, { guest, greeting, limit }, stage);
      });
    }
  } finally {
    done.abort();
  }
}

interface Waiting {
  readonly guest: BootingGuest;
  readonly greeting: Promise<void>;
  readonly limit: AbortSignal;
}

/** @returns true where sshd greeted and the agent had said nothing of the stage. */
async function awaitStage(
  name: AgentStage,
  { guest, greeting, limit }: Waiting,
  stage: StageContext,
): Promise<boolean> {
  const over = new AbortController();
  const told = guest.agent.reached(name, AbortSignal.any([limit, over.signal]));
  const exited = guest.machine.exited.then(async (exit) => {
    if (over.signal.aborted) return undefined;
    throw new AppError('BOOT_EXITED', `The guest ended (${exit.reason}: ${exit.detail}) before ${EVENTS[name]}.`, {
      details: { stage: name, exit, console: await guest.consoleTail() },
    });
  });
  for (const loser of [told, exited]) loser.catch(() => undefined);
  try {
    const sinceBootMs = await Promise.race([exited, told, greeting.then(() => undefined)]);
    stage.note(sinceBootMs === undefined ? 'by its greeting' : `${seconds(sinceBootMs)} after the guest’s boot`);
    return sinceBootMs === undefined;
  } catch (error) {
    stage.signal.throwIfAborted();
    if (error instanceof AppError && error.code === 'BOOT_EXITED') throw error;
    throw new AppError(
      'BOOT_TIMEOUT',
      `The guest started, but ${Math.round(guest.timeoutMs / 1000)} s passed before ${EVENTS[name]}.`,
      {
        hint: HINTS[name],
        details: { stage: name, why: describe(error), console: await guest.consoleTail() },
        cause: error,
      },
    );
  } finally {
    over.abort();
  }
}

async function greetingAfter(delayMs: number, guest: BootingGuest, limit: AbortSignal): Promise<void> {
  if (delayMs > 0) await pause(delayMs, limit);
  await guest.awaitGreeting(limit);
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}
