import { beforeEach, describe, expect, test } from 'vitest';
import type { AgentEvent } from '../../../../src/contracts/agent-messages.ts';
import { lookUntil } from '../../../../guest/agent/patience.ts';
import { watchReadiness } from '../../../../guest/agent/readiness.ts';
import { Stages } from '../../../../guest/agent/stages.ts';
import { FakeSys } from '../../../fakes/agent/fake-sys.ts';

const ROUTE = 'Iface\tDestination\tGateway \tFlags\neth0\t00000000\t0100004D\t0003\n';

let sys: FakeSys;
let events: AgentEvent[];

beforeEach(() => {
  sys = new FakeSys();
  events = [];
});

function watch(): void {
  const stages = new Stages((event) => events.push(event));
  stages.reach('agent', 1_000);
  events.length = 0;
  watchReadiness(sys, stages);
}

function listen(table: 'tcp' | 'tcp6', inUse = 1): void {
  const address = table === 'tcp' ? '00000000' : '0'.repeat(32);
  sys.files.set(
    `/proc/net/${table}`,
    `head\n   0: ${address}:0016 ${address}:0000 0A 0:0 0:0 0     0        0 14021 1 0 100 0 0 10 0\n`,
  );
  const name = table === 'tcp' ? 'TCP' : 'TCP6';
  sys.files.set(table === 'tcp' ? '/proc/net/sockstat' : '/proc/net/sockstat6', `${name}: inuse ${inUse} orphan 0\n`);
}

describe('watchReadiness', () => {
  test('says at once when the network is there, and sshd, and looks no more', async () => {
    watch();
    await sys.pass(500);
    sys.files.set('/proc/net/route', ROUTE);
    await sys.pass(20);
    expect(events).toEqual([{ type: 'event', event: 'stage', stage: 'network', sinceBootMs: expect.any(Number) }]);
    await sys.pass(1_000);
    listen('tcp');
    await sys.pass(20);
    expect(events.slice(1)).toMatchObject([
      { stage: 'ssh' },
      { event: 'ready', stages: { agent: 1_000, network: 1_520, ssh: 2_540 } },
    ]);
    expect(sys.pending).toEqual([]);
  });

  test.each(['tcp', 'tcp6'] as const)('an sshd that listens on %s only is seen', async (table) => {
    sys.files.set('/proc/net/route', ROUTE);
    watch();
    await sys.pass(100);
    listen(table);
    await sys.pass(100);
    expect(events.at(-1)).toMatchObject({ event: 'ready' });
  });

  test('the table of sockets is read only when their number has changed, or after a second', async () => {
    sys.files.set('/proc/net/route', ROUTE);
    sys.files.set('/proc/net/sockstat', 'TCP: inuse 1 orphan 0\n');
    sys.files.set('/proc/net/tcp', 'head\n');
    watch();
    await sys.pass(900);
    const reads = (): number => sys.reads.filter((path) => path === '/proc/net/tcp').length;
    expect(reads()).toBe(1);
    sys.files.set('/proc/net/sockstat', 'TCP: inuse 2 orphan 0\n');
    await sys.pass(40);
    expect(reads()).toBe(2);
    // One socket went as another came: their number is the same.
    listen('tcp', 2);
    await sys.pass(500);
    expect(events).toHaveLength(1);
    await sys.pass(600);
    expect(events.at(-1)).toMatchObject({ event: 'ready' });
  });

  test('before there is a network, nothing but routes is read', async () => {
    listen('tcp');
    watch();
    await sys.pass(200);
    expect(new Set(sys.reads)).toEqual(new Set(['/proc/net/route']));
    sys.files.set('/proc/net/route', ROUTE);
    await sys.pass(40);
    expect(events.at(-1)).toMatchObject({ event: 'ready' });
  });
});

describe('lookUntil', () => {
  const looksIn = async (durationMs: number): Promise<number> => {
    let looks = 0;
    lookUntil(sys, () => {
      looks += 1;
      return 'soon';
    });
    await sys.pass(durationMs);
    return looks;
  };

  test('often, as long as a look costs little', async () => {
    expect(await looksIn(1_000)).toBe(50);
  });

  test.each([
    { costMs: 1, looks: 33 },
    { costMs: 4, looks: 9 },
    { costMs: 1_000, looks: 5 },
  ])('where a look costs $costMs ms: $looks times a second', async ({ costMs, looks }) => {
    sys.costMs = costMs;
    expect(await looksIn(1_000)).toBe(looks);
  });

  test('rarely after two minutes', async () => {
    const early = await looksIn(120_000);
    expect(sys.pending).toEqual([expect.closeTo(5_000, -2)]);
    expect(early).toBeGreaterThan(5_000);
  });

  test('until it gives up', async () => {
    let gaveUp = 0;
    lookUntil(sys, () => 'later', { afterMs: 60_000, run: () => (gaveUp += 1) });
    await sys.pass(59_000);
    expect(gaveUp).toBe(0);
    await sys.pass(60_000);
    expect(gaveUp).toBe(1);
    expect(sys.pending).toEqual([]);
  });
});
