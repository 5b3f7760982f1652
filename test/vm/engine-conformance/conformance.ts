/** What every engine has to do, with guests that run: nothing here knows which engine it is. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { createAgentConnector } from '../../../src/adapters/agent/agent-connector.ts';
import type { AgentSession } from '../../../src/core/vms/agent.ts';
import type { MachineIdentity, RunningMachine } from '../../../src/core/vms/engine.ts';
import { isRunning } from '../../support/process-evidence.ts';
import type { Behaviour, ConformanceBench, ConformanceMachine } from './conformance-bench.ts';
import { consoleSays } from './console.ts';

const NEVER = new AbortController().signal;
const MIB = 2 ** 20;
const REQUEST_TIMEOUT_MS = 30_000;
/** A guest that is not paused answers in milliseconds; in software, on a busy host, in a second. */
const PAUSED_TIMEOUT_MS = 3_000;

/** @param open makes the bench, or tells why this machine has none; what it took is given to `stack`. */
export function describeConformance(
  title: string,
  open: (stack: AsyncDisposableStack) => Promise<ConformanceBench | { readonly obstacle: string }>,
): void {
  describe(title, () => {
    const stack = new AsyncDisposableStack();
    let opened: ConformanceBench | { readonly obstacle: string };
    beforeAll(async () => {
      opened = await open(stack);
    });
    beforeEach((context) => {
      if ('obstacle' in opened) context.skip(opened.obstacle);
    });
    afterAll(() => stack.disposeAsync());
    conformanceTests(() => {
      if ('obstacle' in opened) throw new Error(opened.obstacle);
      return opened;
    });
  });
}

function conformanceTests(bench: () => ConformanceBench): void {
  const begin = async (behaviour: Behaviour, changes: Partial<ConformanceMachine['spec']> = {}): Promise<Begun> => {
    const { spec, ...rest } = await bench().makeMachine(behaviour);
    const machine = await bench().engine.start({ ...spec, ...changes }, NEVER);
    onTestFinished(async () => {
      if (isRunning(machine.identity.pid)) await machine.kill();
    });
    const says = (pattern: RegExp): Promise<RegExpExecArray> =>
      consoleSays(spec.consolePath, pattern, bench().bootTimeoutMs);
    return { machine, says, ...rest };
  };

  test('a guest runs, prints on its console, and is ended', async () => {
    const { machine, says } = await begin('idle');
    expect(machine.identity).toMatchObject({ engine: bench().engine.name, accelerator: bench().engine.accelerator });
    await says(/^conformance: idle/m);
    const exit = await machine.kill();
    expect(['stopped', 'killed']).toContain(exit.reason);
    expect(isRunning(machine.identity.pid)).toBe(false);
    expect(await machine.exited).toEqual(exit);
  });

  test('a guest outlives who started it, is adopted, and its end is seen', async () => {
    const { spec } = await bench().makeMachine('idle');
    const { argv, env } = bench().starter;
    const [program, ...args] = argv;
    const starter = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ...env, SPEC: JSON.stringify(spec) },
    });
    const [line] = (await once(createInterface({ input: starter.stdout }), 'line')) as [string];
    starter.kill('SIGKILL');
    await once(starter, 'exit');
    const identity = JSON.parse(line) as MachineIdentity;
    onTestFinished(() => {
      if (isRunning(identity.pid)) process.kill(identity.pid, 'SIGKILL');
    });
    (await bench().engine.adopt(identity))?.release();
    const machine = await bench().engine.adopt(identity);
    if (!machine) throw new Error('The machine was not adopted');
    // It is the guest's life that goes on: this it says only now.
    await consoleSays(spec.consolePath, /^conformance: idle/m, bench().bootTimeoutMs);
    const session = await greet(machine);
    await session.request('powerOff', {}, { timeoutMs: REQUEST_TIMEOUT_MS }).catch(() => undefined);
    expect((await machine.exited).reason).toBe(bench().exits[machine.endsBy]);
    expect(await bench().engine.adopt(identity)).toBeUndefined();
  });

  test.each(['poweroff', 'reboot', 'panic'] as const)('why a guest ended: %s', async (way) => {
    const { machine, says } = await begin(way);
    const expected = bench().exits[way];
    await says(new RegExp(`^conformance: ${way}`, 'm'));
    if (expected === undefined) {
      // Such a guest halts, and its VMM stays: it must still be possible to end it.
      expect(['stopped', 'killed']).toContain((await machine.kill()).reason);
      return;
    }
    expect((await machine.exited).reason).toBe(expected);
  });

  test('a VMM that somebody kills is seen to be killed', async () => {
    const { machine } = await begin('idle');
    process.kill(machine.identity.pid, 'SIGKILL');
    expect((await machine.exited).reason).toBe('killed');
  });

  test('the button ends a guest that listens to it', async () => {
    const { machine, says } = await begin('idle');
    await says(/^conformance: idle/m);
    await machine.pressPowerButton(NEVER);
    await says(/^conformance: (button|ctrl-alt-del)/m);
    expect((await machine.exited).reason).toBe(bench().exits[machine.endsBy]);
  });

  test('the agent is reached, by one after the other, and answers', async () => {
    const { machine } = await begin('idle');
    const first = await greet(machine);
    const { bootId } = await first.request('bootId', {}, { timeoutMs: REQUEST_TIMEOUT_MS });
    first.close();
    const second = await greet(machine);
    expect(await second.request('bootId', {}, { timeoutMs: REQUEST_TIMEOUT_MS })).toEqual({ bootId });
    second.close();
  });

  test('a guest that is paused does nothing, and goes on where it was', async () => {
    const refused = bench().engine.capabilities.pauseRefused;
    const { machine } = await begin('idle');
    const session = await greet(machine);
    const uptime = async (timeoutMs: number): Promise<number> =>
      (await session.request('health', {}, { timeoutMs })).uptimeMs;
    const before = await uptime(REQUEST_TIMEOUT_MS);
    if (refused !== undefined) {
      await expect(machine.pause(NEVER)).rejects.toMatchObject({ code: 'ENGINE_FAILED' });
      return;
    }
    await machine.pause(NEVER);
    await expect(uptime(PAUSED_TIMEOUT_MS)).rejects.toMatchObject({ code: 'AGENT_UNREACHABLE' });
    await machine.resume(NEVER);
    expect(await uptime(REQUEST_TIMEOUT_MS)).toBeGreaterThan(before);
    session.close();
  });

  test('drives come in order, are written to, and a read-only one is not', async () => {
    const { machine, says, driveText } = await begin('drives');
    await says(/^conformance: finished/m);
    await says(/^conformance: second: on the host {5}, 0/m);
    await says(/^conformance: second: written/m);
    await says(/^conformance: third: on the host {5}, 1/m);
    await says(/^conformance: third: refused/m);
    expect(driveText('second')).toBe('from the guest  ');
    expect(driveText('third')).toBe('on the host     ');
    await machine.kill();
  });

  test('a drive is no faster than it may be', async () => {
    if (!bench().engine.capabilities.limits.includes('diskBytesPerSecond')) return expectNoLimit('diskBytesPerSecond');
    const { machine, says } = await begin('diskrate', { limits: { diskBytesPerSecond: 4 * MIB } });
    // 16 MiB, of which an engine may let through at once what a second allows.
    expect(tookSeconds(await says(TOOK))).toBeGreaterThan(2.5);
    await machine.kill();
  });

  test('a network card is no faster than it may be', async () => {
    if (!bench().engine.capabilities.limits.includes('networkBytesPerSecond'))
      return expectNoLimit('networkBytesPerSecond');
    await bench().serveDiscard();
    const { machine, says } = await begin('netrate', { limits: { networkBytesPerSecond: MIB } });
    // 4 MiB, of which an engine may let through at once what a second allows.
    expect(tookSeconds(await says(TOOK))).toBeGreaterThan(2.5);
    await machine.kill();
  });

  function expectNoLimit(limit: string): void {
    expect(bench().engine.capabilities.limits).not.toContain(limit);
    console.log(`not tried on ${bench().engine.name}: it has no ${limit}`);
  }
}

interface Begun extends Omit<ConformanceMachine, 'spec'> {
  readonly machine: RunningMachine;
  readonly says: (pattern: RegExp) => Promise<RegExpExecArray>;
}

const TOOK = /^conformance: took ([\d.]+) ([\d.]+)/m;

function tookSeconds([, begin, end]: RegExpExecArray): number {
  return Number(end) - Number(begin);
}

async function greet(machine: RunningMachine): Promise<AgentSession> {
  const stream = await machine.openAgentStream(NEVER);
  if (!stream) throw new Error('The machine has no channel to its agent');
  return createAgentConnector().connect(stream, NEVER);
}
