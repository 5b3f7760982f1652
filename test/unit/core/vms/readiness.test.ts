import { describe, expect, test } from 'vitest';
import type { AgentStage } from '../../../../src/contracts/agent.ts';
import type { StageContext } from '../../../../src/core/operations/operation-context.ts';
import { orAborted } from '../../../../src/core/operations/or-aborted.ts';
import type { MachineExit } from '../../../../src/core/vms/engine.ts';
import { awaitGuest, type BootingGuest } from '../../../../src/core/vms/readiness.ts';

const NEVER = new Promise<never>(() => undefined);

/** What a user would see: each stage with its note. */
class Stages {
  readonly seen: string[] = [];
  readonly #controller = new AbortController();
  readonly signal = this.#controller.signal;

  readonly stage = async <T>(name: string, work: (context: StageContext) => Promise<T>): Promise<T> => {
    let note = '';
    const result = await work({
      signal: this.signal,
      log: () => undefined,
      progress: () => undefined,
      note: (text) => (note = text),
    });
    this.seen.push(`${name}: ${note}`);
    return result;
  };

  readonly skip = (name: string, note: string): void => void this.seen.push(`${name} skipped: ${note}`);

  abort(reason: Error): void {
    this.#controller.abort(reason);
  }
}

function guest(given: {
  readonly hasAgent?: boolean;
  readonly told?: Partial<Record<AgentStage, number>>;
  readonly exited?: Promise<MachineExit>;
  readonly greeting?: Promise<void>;
  readonly timeoutMs?: number;
  readonly patienceMs?: number;
}): BootingGuest & { greetings: number } {
  const { told = {} } = given;
  const made = {
    greetings: 0,
    machine: { exited: given.exited ?? NEVER },
    agent: {
      reached: (stage: AgentStage, signal: AbortSignal): Promise<number> => {
        const sinceBootMs = told[stage];
        return orAborted(sinceBootMs === undefined ? NEVER : Promise.resolve(sinceBootMs), signal);
      },
    },
    hasAgent: given.hasAgent ?? true,
    awaitGreeting: (signal: AbortSignal): Promise<void> => {
      made.greetings += 1;
      return orAborted(given.greeting ?? NEVER, signal);
    },
    timeoutMs: given.timeoutMs ?? 60_000,
    patienceMs: given.patienceMs ?? 60_000,
    consoleTail: () => Promise.resolve(['Kernel panic - not syncing']),
  };
  return made;
}

test('the agent tells each stage, with its time since the guest’s boot; nobody asks sshd', async () => {
  const stages = new Stages();
  const booting = guest({ told: { agent: 3120, network: 3350, ssh: 5210 } });
  await awaitGuest(booting, stages);
  expect(stages.seen).toEqual([
    'agent: 3.1 s after the guest’s boot',
    'network: 3.4 s after the guest’s boot',
    'ssh: 5.2 s after the guest’s boot',
  ]);
  expect(booting.greetings).toBe(0);
});

test('an image without an agent is known by sshd’s greeting', async () => {
  const stages = new Stages();
  await awaitGuest(guest({ hasAgent: false, greeting: Promise.resolve() }), stages);
  expect(stages.seen).toEqual([
    'agent skipped: there is no agent in the image',
    'network skipped: there is no agent in the image',
    'ssh: by its greeting',
  ]);
});

test('an agent that says nothing is given up when its patience is over and sshd greets', async () => {
  const stages = new Stages();
  await awaitGuest(guest({ patienceMs: 1, greeting: Promise.resolve() }), stages);
  expect(stages.seen).toEqual([
    'agent: by its greeting',
    'network skipped: the agent says nothing; sshd answers',
    'ssh: by its greeting',
  ]);
});

test('an agent that falls silent half-way does not hold up a guest whose sshd greets', async () => {
  const stages = new Stages();
  await awaitGuest(guest({ told: { agent: 10 }, patienceMs: 1, greeting: Promise.resolve() }), stages);
  expect(stages.seen.at(-1)).toBe('ssh: by its greeting');
});

describe('a guest that does not come', () => {
  test.each([
    { stage: 'agent', told: {} },
    { stage: 'network', told: { agent: 10 } },
    { stage: 'ssh', told: { agent: 10, network: 20 } },
  ])('the deadline names the stage $stage, a hint and the console', async ({ stage, told }) => {
    await expect(awaitGuest(guest({ told, timeoutMs: 5 }), new Stages())).rejects.toMatchObject({
      code: 'BOOT_TIMEOUT',
      hint: expect.stringContaining('console') as unknown,
      details: { stage, console: ['Kernel panic - not syncing'] },
    });
  });

  test('a VMM that ends first is told apart', async () => {
    const exited = Promise.resolve<MachineExit>({ reason: 'crashed', detail: 'status 1' });
    await expect(awaitGuest(guest({ exited }), new Stages())).rejects.toMatchObject({
      code: 'BOOT_EXITED',
      details: { stage: 'agent', exit: { reason: 'crashed' }, console: ['Kernel panic - not syncing'] },
    });
  });

  test('an abort is passed on as its own reason', async () => {
    const stages = new Stages();
    const waiting = awaitGuest(guest({}), stages);
    const reason = new RangeError('cancelled by the test');
    stages.abort(reason);
    await expect(waiting).rejects.toBe(reason);
  });
});
