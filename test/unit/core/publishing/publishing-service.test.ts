import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { AgentPorts, ListeningPort } from '../../../../src/contracts/agent-messages.ts';
import type { ForwarderReport } from '../../../../src/contracts/forwarder-report.ts';
import type { ForwardingOrder } from '../../../../src/contracts/forwarding.ts';
import type { Forwarder, ForwarderState } from '../../../../src/core/publishing/ports.ts';
import { PublishingService } from '../../../../src/core/publishing/publishing-service.ts';
import type { LiveMachine } from '../../../../src/core/vms/live-machines.ts';
import { sampleVm } from '../../../support/samples.ts';

const FACTS = { mode: 'isolated', cidr: '10.77.0.0/20', namespaceName: 'banger-00000000' } as const;
const OTTER = sampleVm({ id: 'vm-1', name: 'calm-otter', address: '10.77.0.2' });
const HERON = sampleVm({ id: 'vm-2', name: 'grey-heron', address: '10.77.0.3' });
const SIGNAL = new AbortController().signal;

function tcp(port: number, address = '0.0.0.0'): ListeningPort {
  return { protocol: 'tcp', address, port };
}

function listening(...ports: readonly number[]): AgentPorts {
  return { listening: ports.map((port) => tcp(port)), truncated: false };
}

class FakeForwarder implements Forwarder {
  state: ForwarderState = { kind: 'resting' };
  readonly orders: ForwardingOrder[] = [];
  rests = 0;
  faults: ForwarderReport['faults'] = [];

  order(order: ForwardingOrder): void {
    this.orders.push(order);
    const report = { version: 1 as const, revision: order.revision, dnsPorts: [5377], faults: this.faults };
    this.state = { kind: 'reporting', report };
  }

  rest(): void {
    this.rests += 1;
    this.state = { kind: 'resting' };
  }

  reported(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {}

  /** `NAME PORT,PORT` of the newest order. */
  get published(): readonly string[] {
    return (this.orders.at(-1)?.forwards ?? []).map(({ vmName, ports }) => `${vmName} ${ports.join()}`);
  }
}

function makeService(options: { readonly namesEnabled?: boolean; readonly mode?: 'isolated' | 'host' } = {}) {
  const forwarder = new FakeForwarder();
  let start: (vmId: string, machine: LiveMachine) => void = () => undefined;
  const vms = [OTTER, HERON];
  const service = new PublishingService({
    directory: { list: () => vms },
    live: { onStart: (listener) => void (start = listener) },
    forwarder,
    facts: { ...FACTS, mode: options.mode ?? 'isolated' },
    namesEnabled: () => options.namesEnabled ?? false,
    log: () => undefined,
  });
  /** A VM that runs: what its agent tells, and how it ends. */
  const run = (vmId: string) => {
    const ended = new AbortController();
    let tell: (ports: AgentPorts) => void = () => undefined;
    let isWatched = true;
    const agent = {
      watchPorts: (listener: typeof tell) => {
        tell = listener;
        return () => void (isWatched = false);
      },
    };
    start(vmId, { agent, ended: ended.signal } as unknown as LiveMachine);
    return { tell: (ports: AgentPorts) => tell(ports), end: () => ended.abort(), isWatched: () => isWatched };
  };
  return { service, forwarder, run, vms };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

async function soon(): Promise<void> {
  await vi.advanceTimersByTimeAsync(250);
}

describe('a forwarder', () => {
  test('is left at rest until a VM runs, and again when none does', async () => {
    const { service, forwarder, run } = makeService();
    service.changed();
    await soon();
    expect(forwarder.orders).toEqual([]);
    const otter = run('vm-1');
    await soon();
    expect(forwarder.orders.at(-1)?.names.map(({ name }) => name)).toEqual(['calm-otter', 'grey-heron']);
    const restsBefore = forwarder.rests;
    otter.end();
    await soon();
    expect(forwarder.rests).toBe(restsBefore + 1);
    expect(otter.isWatched()).toBe(false);
  });

  test('answers for names though no VM runs, where the host was told of them', async () => {
    const { service, forwarder } = makeService({ namesEnabled: true });
    service.changed();
    await soon();
    expect(forwarder.orders).toHaveLength(1);
  });
});

describe('ports', () => {
  test('appear while they listen, also the same one of two VMs', async () => {
    const { forwarder, run } = makeService();
    const [otter, heron] = [run('vm-1'), run('vm-2')];
    otter.tell(listening(22, 3000));
    heron.tell(listening(3000));
    await soon();
    expect(forwarder.published).toEqual(['calm-otter 22,3000', 'grey-heron 3000']);
    otter.tell(listening(22));
    await soon();
    expect(forwarder.published).toEqual(['calm-otter 22', 'grey-heron 3000']);
    heron.end();
    await soon();
    expect(forwarder.published).toEqual(['calm-otter 22']);
  });

  test('that come and go a thousand times a second make five orders a second', async () => {
    const { forwarder, run } = makeService();
    const otter = run('vm-1');
    for (let told = 0; told < 1_000; told += 1) {
      otter.tell(listening(3000 + (told % 7)));
      await vi.advanceTimersByTimeAsync(1);
    }
    await soon();
    expect(forwarder.orders.length).toBeLessThanOrEqual(7);
    expect(forwarder.orders.length).toBeGreaterThan(3);
    expect(forwarder.published).toEqual(['calm-otter 3005']);
  });

  test('that are the same as before make no order', async () => {
    const { forwarder, run, service } = makeService();
    const otter = run('vm-1');
    otter.tell(listening(22));
    await soon();
    const { length } = forwarder.orders;
    otter.tell(listening(22));
    service.changed();
    await soon();
    expect(forwarder.orders).toHaveLength(length);
  });

  test('of a VM that was started anew are not taken away by the end of the run before', async () => {
    const { forwarder, run } = makeService();
    const first = run('vm-1');
    const second = run('vm-1');
    second.tell(listening(80));
    first.end();
    await soon();
    expect(forwarder.published).toEqual(['calm-otter 80']);
    expect(first.isWatched()).toBe(false);
    expect(second.isWatched()).toBe(true);
  });
});

describe('whether the host reaches a port', () => {
  test('is the forwarder’s word, and its faults', async () => {
    const { service, forwarder, run } = makeService();
    run('vm-1');
    forwarder.faults = [{ address: '127.77.0.2', port: 22, fault: 'address-in-use' }];
    await service.refresh('vm-1', listening(22, 3000), SIGNAL);
    expect(service.refusal(OTTER, tcp(3000))).toBeUndefined();
    expect(service.refusal(OTTER, tcp(22))).toBe('address-in-use');
    expect(service.refusal(OTTER, tcp(5432, '127.0.0.1'))).toBe('guest-loopback');
    expect(service.refusal({ ...OTTER, address: '10.99.0.2' }, tcp(80))).toBe('no-address');
  });

  test('is asked for anew each time: what failed is tried again', async () => {
    const { service, forwarder, run } = makeService();
    run('vm-1');
    forwarder.faults = [{ address: '127.77.0.2', port: 22, fault: 'address-in-use' }];
    await service.refresh('vm-1', listening(22), SIGNAL);
    forwarder.faults = [];
    await service.refresh('vm-1', listening(22), SIGNAL);
    expect(service.refusal(OTTER, tcp(22))).toBeUndefined();
  });

  test('is said of ports beyond the bound', async () => {
    const { service, run } = makeService();
    run('vm-1');
    await service.refresh('vm-1', listening(...Array.from({ length: 200 }, (_, index) => index + 1)), SIGNAL);
    expect(service.refusal(OTTER, tcp(128))).toBeUndefined();
    expect(service.refusal(OTTER, tcp(129))).toBe('too-many-ports');
  });

  test.each<[ForwarderState, string]>([
    [{ kind: 'gone', reason: 'it crashed' }, 'forwarder-gone'],
    [{ kind: 'waking' }, 'not-yet'],
    [{ kind: 'reporting', report: { version: 1, revision: 0, dnsPorts: [], faults: [] } }, 'not-yet'],
  ])('where it is %j: %s', async (state, expected) => {
    const { service, forwarder, run } = makeService();
    run('vm-1');
    await service.refresh('vm-1', listening(80), SIGNAL);
    forwarder.state = state;
    expect(service.refusal(OTTER, tcp(80))).toBe(expected);
  });

  test('in mode host is the guest’s affair alone', () => {
    const { service } = makeService({ mode: 'host' });
    expect(service.refusal(OTTER, tcp(80))).toBeUndefined();
    expect(service.refusal(OTTER, tcp(80, '::1'))).toBe('guest-loopback');
  });
});

test('where it is switched off nothing is watched, and that is said', () => {
  const service = new PublishingService({
    directory: { list: () => [OTTER] },
    live: { onStart: () => expect.unreachable('nobody is to listen') },
    forwarder: undefined,
    facts: FACTS,
    namesEnabled: () => true,
    log: () => undefined,
  });
  service.changed();
  expect(service.refusal(OTTER, tcp(80))).toBe('switched-off');
});
