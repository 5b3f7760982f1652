import { describe, expect, it, vi } from 'vitest';
import { AppError } from '../../../../src/core/app-error.ts';
import { NetworkService } from '../../../../src/core/networks/network-service.ts';
import type { BridgePlan, HostNetwork, NetworkEvents, NetworkPort } from '../../../../src/core/networks/ports.ts';

const bridge: BridgePlan = { bridgeName: 'banger0', gateway: '10.77.0.1', prefixLength: 20, cidr: '10.77.0.0/20' };
const never = new AbortController().signal;

function portOf(host: number, egress = 'none'): NetworkPort {
  return {
    tapName: `bngr-000000000${host}`,
    address: `10.77.0.${host}`,
    macAddress: `02:62:0a:4d:00:0${host}`,
    egress,
  };
}

/** A host whose every call is written down, and can be made to fail. */
class FakeNetwork implements HostNetwork {
  readonly calls: string[] = [];
  readonly taps = new Set<string>();
  bridgeThere = false;
  /** Addresses in the table that stands. */
  guests: string[] = [];
  nameServers: readonly string[] = ['169.254.1.1'];
  /** Calls that fail, once each, in the form `calls` has them. */
  readonly failing = new Set<string>();
  /** Awaited before each call is done. */
  gate: Promise<void> = Promise.resolve();

  async ensureBridge(plan: BridgePlan): Promise<void> {
    await this.#call(`bridge ${plan.bridgeName}`);
  }

  async addTap(port: NetworkPort): Promise<void> {
    await this.#call(`add ${port.tapName}`);
    this.taps.add(port.tapName);
  }

  async removeTap(tapName: string): Promise<void> {
    await this.#call(`remove ${tapName}`);
    this.taps.delete(tapName);
  }

  async applyRuleset(ruleset: string): Promise<void> {
    const elements = /set guest_addresses \{ type ipv4_addr;(?: elements = \{ (.*) \};)? \}/.exec(ruleset)?.[1];
    const guests = elements?.split(', ') ?? [];
    await this.#call(`rules ${guests.join(' ')}`.trim());
    for (const [, device = ''] of ruleset.matchAll(/ingress device "([^"]*)"/g)) {
      if (!this.taps.has(device)) throw new AppError('NETWORK_UNAVAILABLE', `no ${device}`);
    }
    this.guests = guests;
    this.ruleset = ruleset;
  }

  /** Of rules nothing but the last text. */
  ruleset = '';
  events: NetworkEvents | undefined;

  readRuleset(): Promise<string> {
    const set = { name: 'x', table: 'banger_0a1b2c3d', elem: [this.ruleset] };
    return Promise.resolve(JSON.stringify({ nftables: [{ set }] }));
  }

  watch(_tableName: string, events: NetworkEvents, signal: AbortSignal): Promise<void> {
    this.events = events;
    return new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
  }

  async hasBridge(bridgeName: string): Promise<boolean> {
    await this.#call(`has ${bridgeName}`);
    return this.bridgeThere;
  }

  async listTaps(): Promise<readonly string[]> {
    await this.#call('list');
    return [...this.taps];
  }

  async removeAll(bridgeName: string, tableName: string): Promise<void> {
    await this.#call(`remove all ${bridgeName} ${tableName}`);
  }

  guestNameServers(): Promise<readonly string[]> {
    return Promise.resolve(this.nameServers);
  }

  async #call(call: string): Promise<void> {
    this.calls.push(call);
    await this.gate;
    if (this.failing.delete(call)) throw new AppError('NETWORK_UNAVAILABLE', `${call} failed`);
  }
}

function serviceOn(
  network: HostNetwork,
  configuredDns?: string,
  more: Partial<ConstructorParameters<typeof NetworkService>[2]> = {},
): NetworkService {
  return new NetworkService(network, bridge, {
    tableName: 'banger_0a1b2c3d',
    configuredDns,
    refusedAddresses: [],
    throughPasta: false,
    gate: { port: 5378, open: () => Promise.resolve(), close: () => Promise.resolve() },
    peers: () => [],
    onChange: () => undefined,
    log: () => undefined,
    ...more,
  });
}

const unavailable = expect.objectContaining({ code: 'NETWORK_UNAVAILABLE' }) as unknown;

describe('attach', () => {
  it('makes the bridge once, then TAP and rules for each guest', async () => {
    const network = new FakeNetwork();
    const service = serviceOn(network);
    expect(service.isEmpty()).toBe(true);
    await service.attach(portOf(2), never);
    await service.attach(portOf(3), never);
    expect(network.calls).toEqual([
      'bridge banger0',
      'add bngr-0000000002',
      'rules 10.77.0.2',
      'add bngr-0000000003',
      'rules 10.77.0.2 10.77.0.3',
    ]);
    expect(service.isEmpty()).toBe(false);
  });

  it('does one change at a time, in the order they were asked for', async () => {
    const network = new FakeNetwork();
    const service = serviceOn(network);
    const open = Promise.withResolvers<undefined>();
    network.gate = open.promise;
    const changes = [
      service.attach(portOf(2), never),
      service.attach(portOf(3), never),
      service.detach(portOf(2).tapName),
    ];
    await Promise.resolve();
    expect(network.calls).toEqual(['bridge banger0']);
    open.resolve(undefined);
    await Promise.all(changes);
    expect(network.calls.slice(1)).toEqual([
      'add bngr-0000000002',
      'rules 10.77.0.2',
      'add bngr-0000000003',
      'rules 10.77.0.2 10.77.0.3',
      'rules 10.77.0.3',
      'remove bngr-0000000002',
    ]);
  });

  it.each(['bridge banger0', 'add bngr-0000000002', 'rules 10.77.0.2'])(
    'leaves nothing where "%s" fails, and works the next time',
    async (call) => {
      const network = new FakeNetwork();
      const service = serviceOn(network);
      network.failing.add(call);
      await expect(service.attach(portOf(2), never)).rejects.toEqual(unavailable);
      expect([...network.taps]).toEqual([]);
      expect(network.guests).toEqual([]);
      expect(service.isEmpty()).toBe(true);
      await service.attach(portOf(2), never);
      expect([...network.taps]).toEqual(['bngr-0000000002']);
      expect(network.guests).toEqual(['10.77.0.2']);
    },
  );

  it('keeps the other guests as they were where it fails', async () => {
    const network = new FakeNetwork();
    const service = serviceOn(network);
    await service.attach(portOf(2), never);
    network.failing.add('rules 10.77.0.2 10.77.0.3');
    await expect(service.attach(portOf(3), never)).rejects.toEqual(unavailable);
    expect([...network.taps]).toEqual(['bngr-0000000002']);
    expect(network.calls.slice(-2)).toEqual(['rules 10.77.0.2', 'remove bngr-0000000003']);
  });

  it('tells what could not be undone beside the first error', async () => {
    const network = new FakeNetwork();
    network.failing.add('rules 10.77.0.2').add('remove bngr-0000000002');
    const failure = serviceOn(network).attach(portOf(2), never);
    await expect(failure).rejects.toBeInstanceOf(AggregateError);
    await expect(failure).rejects.toMatchObject({
      errors: [{ code: 'NETWORK_UNAVAILABLE' }, { code: 'CLEANUP_FAILED', message: /TAP bngr-0000000002/ }],
    });
  });

  it('is not stopped by the TAP of another that somebody deleted', async () => {
    const network = new FakeNetwork();
    const service = serviceOn(network);
    await service.attach(portOf(2), never);
    network.taps.delete(portOf(2).tapName);
    await service.attach(portOf(3), never);
    expect(network.guests).toEqual(['10.77.0.3']);
    await service.detach(portOf(2).tapName);
    await service.detach(portOf(3).tapName);
    expect(service.isEmpty()).toBe(true);
  });

  it('does not begin once it is cancelled, and tells why it was', async () => {
    const network = new FakeNetwork();
    const reason = new AppError('OPERATION_CANCELLED', 'The operation was cancelled.');
    await expect(serviceOn(network).attach(portOf(2), AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(network.calls).toEqual([]);
  });

  it('refuses a TAP that is attached', async () => {
    const service = serviceOn(new FakeNetwork());
    await service.attach(portOf(2), never);
    await expect(service.attach(portOf(2), never)).rejects.toMatchObject({ code: 'INTERNAL' });
    expect(service.isEmpty()).toBe(false);
  });
});

describe('detach', () => {
  it('takes the rules away before the TAP they name', async () => {
    const network = new FakeNetwork();
    const service = serviceOn(network);
    await service.attach(portOf(2), never);
    await service.detach(portOf(2).tapName);
    expect(network.calls.slice(-2)).toEqual(['rules', 'remove bngr-0000000002']);
    expect(service.isEmpty()).toBe(true);
  });

  it('removes a TAP it does not know of, and leaves the rules alone', async () => {
    const network = new FakeNetwork();
    await serviceOn(network).detach('bngr-0000000009');
    expect(network.calls).toEqual(['remove bngr-0000000009']);
  });

  it('removes the TAP even where the rules cannot be replaced', async () => {
    const network = new FakeNetwork();
    const service = serviceOn(network);
    await service.attach(portOf(2), never);
    network.failing.add('rules');
    await expect(service.detach(portOf(2).tapName)).rejects.toMatchObject({ code: 'CLEANUP_FAILED' });
    expect([...network.taps]).toEqual([]);
    expect(service.isEmpty()).toBe(true);
  });

  it('tells both failures', async () => {
    const network = new FakeNetwork();
    const service = serviceOn(network);
    await service.attach(portOf(2), never);
    network.failing.add('rules').add('remove bngr-0000000002');
    await expect(service.detach(portOf(2).tapName)).rejects.toMatchObject({
      errors: [{ message: /firewall rules/ }, { message: /TAP bngr-0000000002/ }],
    });
  });
});

describe('restore', () => {
  it('takes over the TAPs of running VMs and removes those of nobody, rules first', async () => {
    const network = new FakeNetwork();
    network.taps.add('bngr-0000000002').add('bngr-0000000007');
    const service = serviceOn(network);
    expect(await service.restore([portOf(2)], never)).toEqual([]);
    expect(network.calls).toEqual(['bridge banger0', 'list', 'rules 10.77.0.2', 'remove bngr-0000000007']);
    expect(service.isEmpty()).toBe(false);
  });

  it('names the ports whose TAP is gone, and makes no rules for them', async () => {
    const network = new FakeNetwork();
    network.taps.add('bngr-0000000002');
    expect(await serviceOn(network).restore([portOf(2), portOf(3)], never)).toEqual([portOf(3)]);
    expect(network.guests).toEqual(['10.77.0.2']);
  });

  it('changes nothing where no VM runs and no TAP is left', async () => {
    const network = new FakeNetwork();
    const service = serviceOn(network);
    await service.restore([], never);
    expect(network.calls).toEqual(['list', 'has banger0']);
    expect(service.isEmpty()).toBe(true);
  });

  it('leaves no rules of guests that are gone, TAP and all', async () => {
    const network = new FakeNetwork();
    network.bridgeThere = true;
    network.guests = ['10.77.0.2'];
    await serviceOn(network).restore([], never);
    expect(network.guests).toEqual([]);
  });

  it('removes every TAP of nobody, none spared because another failed', async () => {
    const network = new FakeNetwork();
    network.taps.add('bngr-0000000006').add('bngr-0000000007').add('bngr-0000000008');
    network.failing.add('remove bngr-0000000007');
    await expect(serviceOn(network).restore([], never)).rejects.toMatchObject({ code: 'CLEANUP_FAILED' });
    expect([...network.taps]).toEqual(['bngr-0000000007']);
  });

  it.each(['bridge banger0', 'list', 'rules 10.77.0.2'])('tells where "%s" fails', async (call) => {
    const network = new FakeNetwork();
    network.taps.add('bngr-0000000002');
    network.failing.add(call);
    await expect(serviceOn(network).restore([portOf(2)], never)).rejects.toEqual(unavailable);
    expect([...network.taps]).toEqual(['bngr-0000000002']);
  });
});

describe('guestNameServers', () => {
  it('are the host’s', async () => {
    expect(await serviceOn(new FakeNetwork()).guestNameServers()).toEqual(['169.254.1.1']);
  });

  it('is the config’s where it names one', async () => {
    expect(await serviceOn(new FakeNetwork(), '192.0.2.53').guestNameServers()).toEqual(['192.0.2.53']);
  });

  it('says what to do where there is none; guests are taken on and off the network all the same', async () => {
    const network = new FakeNetwork();
    network.nameServers = [];
    const service = serviceOn(network);
    await expect(service.guestNameServers()).rejects.toMatchObject({
      code: 'NETWORK_UNAVAILABLE',
      hint: expect.stringContaining('[network] dns') as string,
    });
    await service.attach(portOf(2), never);
    await service.detach(portOf(2).tapName);
    expect(service.isEmpty()).toBe(true);
  });
});

describe('removeAll', () => {
  it('removes bridge and table, and makes the bridge anew at the next use', async () => {
    const network = new FakeNetwork();
    const service = serviceOn(network);
    await service.attach(portOf(2), never);
    await service.detach(portOf(2).tapName);
    await service.removeAll();
    await service.attach(portOf(2), never);
    expect(network.calls.filter((call) => /bridge|all/.test(call))).toEqual([
      'bridge banger0',
      'remove all banger0 banger_0a1b2c3d',
      'bridge banger0',
    ]);
  });

  it('is refused while a guest is attached', async () => {
    const network = new FakeNetwork();
    const service = serviceOn(network);
    await service.attach(portOf(2), never);
    await expect(service.removeAll()).rejects.toMatchObject({ code: 'INTERNAL' });
    expect(network.calls.at(-1)).toBe('rules 10.77.0.2');
  });
});

describe('what others do', () => {
  it('to the rules is undone, once for all that was told meanwhile, and changes nothing where nothing is another', async () => {
    const network = new FakeNetwork();
    const logged: string[] = [];
    const service = serviceOn(network, undefined, { log: (message) => void logged.push(message) });
    await service.attach(portOf(2), never);
    network.events?.changed();
    await service.setEgress('nobody', 'none', never);
    expect(network.calls.filter((call) => call.startsWith('rules'))).toHaveLength(1);
    network.ruleset = 'flushed';
    network.events?.changed();
    network.events?.changed();
    await service.setEgress('nobody', 'none', never);
    expect(network.calls.filter((call) => call.startsWith('rules'))).toHaveLength(2);
    expect(logged).toEqual(['the firewall rules had been changed, and are put back']);
  });

  it('to a TAP is told of, and makes the rules do without it', async () => {
    const network = new FakeNetwork();
    const changed: string[] = [];
    const service = serviceOn(network, undefined, { onChange: (tapName) => void changed.push(tapName) });
    await service.attach(portOf(2), never);
    await service.attach(portOf(3), never);
    network.taps.delete(portOf(2).tapName);
    network.events?.changed();
    await service.setEgress('nobody', 'none', never);
    expect(changed).toEqual([portOf(2).tapName]);
    expect(network.guests).toEqual(['10.77.0.3']);
    expect((await service.observe(portOf(2).tapName))?.problem).toContain('was deleted');
    expect((await service.observe(portOf(3).tapName))?.problem).toBeUndefined();
    await service.detach(portOf(2).tapName);
    expect(await service.observe(portOf(2).tapName)).toBeUndefined();
  });
});

it('begins to watch nothing anew once it is closed, whatever was under way', async () => {
  const network = new FakeNetwork();
  const service = serviceOn(network);
  await service.attach(portOf(2), never);
  const { events } = network;
  const open = Promise.withResolvers<undefined>();
  network.gate = open.promise;
  const detached = service.detach(portOf(2).tapName);
  await service.close();
  network.events = undefined;
  events?.changed();
  open.resolve(undefined);
  await detached;
  expect(network.events).toBeUndefined();
  expect(network.guests).toEqual([]);
});

describe('egress', () => {
  it('is changed for one that is attached, and taken back where the rules cannot be', async () => {
    const network = new FakeNetwork();
    const service = serviceOn(network);
    await service.attach(portOf(2), never);
    await service.setEgress(portOf(2).tapName, 'open', never);
    expect(network.ruleset).toContain('set open_addresses { type ipv4_addr; elements = { 10.77.0.2 }; }');
    network.failing.add('rules 10.77.0.2');
    await expect(service.setEgress(portOf(2).tapName, 'none', never)).rejects.toEqual(unavailable);
    await service.refreshPeers(never);
    expect(network.ruleset).toContain('set open_addresses { type ipv4_addr; elements = { 10.77.0.2 }; }');
  });

  it('decides which names a guest may ask for, and where answers open a way', async () => {
    const network = new FakeNetwork();
    const opened: string[] = [];
    const gate = {
      port: 5378,
      open: (address: string) => Promise.resolve(void opened.push(address)),
      close: () => Promise.resolve(),
    };
    const service = serviceOn(network, undefined, { gate });
    await service.attach(portOf(2, 'open'), never);
    expect(opened).toEqual([]);
    await service.attach(portOf(3, 'allow:example.org,*.example.net'), never);
    expect(opened).toEqual(['10.77.0.1']);
    const may = (name: string): boolean => service.mayAsk('10.77.0.3', name);
    expect(['example.org', 'EXAMPLE.org', 'a.b.example.net'].map(may)).toEqual([true, true, true]);
    expect(['a.example.org', 'example.net', 'badexample.net', ''].map(may)).toEqual([false, false, false, false]);
    expect(service.mayAsk('10.77.0.2', 'example.org')).toBe(false);
    expect(service.mayAsk('10.77.0.9', 'example.org')).toBe(false);
    expect((await service.observe(portOf(3).tapName))?.lastRefused).toBe('the name ');
    await service.close();
  });

  it('tells of refusals at most once a second for each guest', async ({ onTestFinished }) => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const network = new FakeNetwork();
    const changed: string[] = [];
    const service = serviceOn(network, undefined, { onChange: (tapName) => void changed.push(tapName) });
    await service.attach(portOf(2), never);
    for (let count = 0; count < 100; count += 1) {
      network.events?.refused({ guest: '10.77.0.2', what: `tcp 192.0.2.7:${count}` });
      network.events?.refused({ guest: '10.77.0.9', what: 'of nobody' });
      vi.advanceTimersByTime(20);
    }
    expect(changed.length).toBeGreaterThanOrEqual(2);
    expect(changed.length).toBeLessThanOrEqual(3);
    expect((await service.observe(portOf(2).tapName))?.lastRefused).toBe('tcp 192.0.2.7:99');
    await service.close();
  });
});
