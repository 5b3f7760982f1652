import { expect, test } from 'vitest';
import type { MachineExit } from '../../../../src/core/vms/ports.ts';
import { type ReadinessProbe, waitUntilReady } from '../../../../src/core/vms/readiness.ts';

const NEVER = new Promise<MachineExit>(() => undefined);

function probe(overrides: Partial<ReadinessProbe> = {}): ReadinessProbe {
  return { name: 'ssh', timeoutMs: 60_000, hint: 'Look at sshd.', wait: () => Promise.resolve(), ...overrides };
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}

function options(probes: ReadinessProbe[], exited: Promise<MachineExit> = NEVER) {
  const lines: string[] = [];
  return {
    lines,
    machine: { exited },
    probes,
    consoleTail: () => Promise.resolve(['Kernel panic - not syncing']),
    log: (line: string) => void lines.push(line),
  };
}

test('the probes are waited for in order', async () => {
  const order: string[] = [];
  const note = (name: string) => probe({ name, wait: () => Promise.resolve(void order.push(name)) });
  const given = options([note('network'), note('ssh')]);
  await waitUntilReady(given, new AbortController().signal);
  expect(order).toEqual(['network', 'ssh']);
  expect(given.lines).toHaveLength(2);
});

test('a probe that passes its deadline names itself, its hint and the console', async () => {
  const given = options([probe({ timeoutMs: 5, wait: untilAborted })]);
  await expect(waitUntilReady(given, new AbortController().signal)).rejects.toMatchObject({
    code: 'BOOT_TIMEOUT',
    hint: 'Look at sshd.',
    details: { stage: 'ssh', console: ['Kernel panic - not syncing'] },
  });
});

test('a VMM that ends first is told apart, and the probe is let go', async () => {
  let aborted = false;
  const wait = (signal: AbortSignal) => untilAborted(signal).finally(() => (aborted = true));
  const given = options([probe({ wait })], Promise.resolve({ reason: 'crashed', detail: 'status 1' }));
  await expect(waitUntilReady(given, new AbortController().signal)).rejects.toMatchObject({
    code: 'BOOT_EXITED',
    details: { exit: { reason: 'crashed' } },
  });
  expect(aborted).toBe(true);
});

test('an abort is passed on as its own reason', async () => {
  const controller = new AbortController();
  const waiting = waitUntilReady(options([probe({ wait: untilAborted })]), controller.signal);
  const reason = new RangeError('cancelled by the test');
  controller.abort(reason);
  await expect(waiting).rejects.toBe(reason);
});
